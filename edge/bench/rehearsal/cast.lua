-- wrk script: sends the ballots of files, each until it is decided, and counts every answer.
-- Usage: wrk -t2 -c64 -d24h -s cast.lua http://HOST:PORT -- PREFIX CONNECTIONS REPORT
--   PREFIX       thread n (from 0) sends the lines of PREFIX<n>, read as they are needed
--   CONNECTIONS  of each thread
--   REPORT       file of JSON written at the end
-- A line begins {"nas":"123456789" and ends "request_id":"<36 characters>"}.
--
-- An elector's ballots are sent one after another, so which of them counts is known beforehand.
-- A ballot that is not decided (202, 403, 409) is sent again under its request id, and so is one
-- whose connection broke. wrk does not tell which that was: what is still unanswered when no other
-- connection is busy is.
--
-- Prints "answered <thread> <ballots decided>" now and then and "finished <thread>" once; wrk
-- itself sleeps until its time is over, so whoever started it interrupts it then.
local HEADERS = { ["Content-Type"] = "application/json" }
local DECISIONS = { [202] = true, [403] = true, [409] = true }
local SAID_EVERY = 1000
local PAUSE_MS = 200 -- after an answer that decides nothing
local PARKED_MS = 86400000

local threads = {} -- in wrk's own state; all else below is of a thread

local ballots, connections
local idle -- asked when there is nothing to send and a connection wants something
local running, finished = false, false
local parked, pauses, decided = 0, 0, 0
local ready = {}      -- to be sent before more is read
local upcoming = {}   -- taken for connections that are about to ask
local held = {}       -- by NAS: ballots of an elector with one on its way
local underway = {}   -- by NAS: whether a ballot is on its way
local unanswered = {} -- by request id: ballots that were sent
local unanswered_count = 0
local statuses, decisions, again, stray = {}, {}, 0, 0

local function say(line)
  io.write(line .. "\n")
  io.flush()
end

local function nas_of(ballot)
  return string.sub(ballot, 9, 17)
end

local function take()
  if #ready > 0 then return table.remove(ready) end
  while true do
    local ballot = ballots:read("*l")
    if not ballot then return nil end
    local nas = nas_of(ballot)
    if not underway[nas] then
      underway[nas] = true
      return ballot
    end
    held[nas] = held[nas] or {}
    table.insert(held[nas], ballot)
  end
end

local function send_again(ballot)
  again = again + 1
  table.insert(ready, ballot)
end

local function counts(by_status)
  local parts = {}
  for status, count in pairs(by_status) do
    parts[#parts + 1] = string.format('"%d":%d', status, count)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function finish()
  finished = true
  result = string.format('{"decisions":%s,"statuses":%s,"again":%d,"stray":%d}',
    counts(decisions), counts(statuses), again, stray)
  say(string.format("answered %d %d", number, decided))
  say("finished " .. number)
end

function setup(thread)
  thread:set("number", #threads)
  threads[#threads + 1] = thread
end

function init(args)
  ballots = assert(io.open(args[1] .. number))
  connections = tonumber(args[2])
  report_file = args[3]
  idle = wrk.format("GET", "/api/v1/health")
end

-- Asked at a connection's beginning and after each answer; milliseconds until `request`.
function delay()
  running = true
  if pauses > 0 then
    pauses = pauses - 1
    return PAUSE_MS
  end
  local ballot = take()
  if not ballot and unanswered_count > 0 and parked == connections - 1 then
    for request_id, lost in pairs(unanswered) do
      unanswered[request_id] = nil
      send_again(lost)
    end
    unanswered_count = 0
    ballot = take()
  end
  if ballot then
    table.insert(upcoming, ballot)
    return 0
  end
  parked = parked + 1
  if unanswered_count == 0 and #upcoming == 0 and not finished then finish() end
  return PARKED_MS
end

-- Also asked without `delay` before: once by wrk, to look at it, and when a connection broke.
function request()
  local ballot = running and (table.remove(upcoming) or take())
  if not ballot then return idle end
  local request_id = string.sub(ballot, -38, -3)
  unanswered[request_id] = ballot
  unanswered_count = unanswered_count + 1
  return wrk.format("POST", "/api/v1/vote", HEADERS, ballot)
end

local function decide(ballot, status)
  decisions[status] = (decisions[status] or 0) + 1
  decided = decided + 1
  if decided % SAID_EVERY == 0 then say(string.format("answered %d %d", number, decided)) end
  local nas = nas_of(ballot)
  local waiting = held[nas]
  if waiting then
    table.insert(ready, table.remove(waiting, 1))
    if #waiting == 0 then held[nas] = nil end
  else
    underway[nas] = nil
  end
end

function response(status, _, body)
  local request_id = string.match(body, '"request_id":"([^"]+)"')
  if not request_id and status == 200 then return end -- `idle`
  statuses[status] = (statuses[status] or 0) + 1
  local ballot = unanswered[request_id or ""]
  if not ballot then -- sent twice and decided already, or an answer that names no request
    stray = stray + 1
    if not DECISIONS[status] then pauses = pauses + 1 end
    return
  end
  unanswered[request_id] = nil
  unanswered_count = unanswered_count - 1
  if DECISIONS[status] then return decide(ballot, status) end
  send_again(ballot)
  pauses = pauses + 1
end

function done(summary, latency)
  local errors, results = summary.errors, {}
  for place, thread in ipairs(threads) do results[place] = thread:get("result") or "null" end
  local file = assert(io.open(threads[1]:get("report_file"), "w"))
  file:write(string.format(
    '{"threads":[%s],"broken":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d,"max_us":%d}\n',
    table.concat(results, ","), errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
  file:close()
end
