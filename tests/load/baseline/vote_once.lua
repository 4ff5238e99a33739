-- wrk script: sends each ballot of a file exactly once, and says so when the last is answered.
-- Usage: wrk -t1 -c64 -d600 -s vote_once.lua http://HOST:PORT -- BALLOTS.jsonl 64
-- Prints "sending" with the first ballot and "answered" after the last answer; wrk itself sleeps
-- until its time is over, so whoever started it interrupts it then. Ends with a line of JSON.
local ballots = {}
local connections = 0
local position = -1 -- wrk asks for one request that it does not send
local free = 0

local function say(line)
  io.write(line, "\n")
  io.flush()
end

function init(args)
  for line in io.lines(args[1]) do
    ballots[#ballots + 1] = wrk.format("POST", "/api/v1/vote",
      { ["Content-Type"] = "application/json" }, line)
  end
  connections = tonumber(args[2])
end

-- Asked each time a connection is free: once at its beginning, then after each answer.
function delay()
  free = free + 1
  if free == #ballots + connections then
    say("answered")
    wrk.thread:stop()
  end
  return free > #ballots and 3600000 or 0
end

function request()
  position = position + 1
  if position == 1 then say("sending") end
  return ballots[math.max(position, 1)]
end

function done(summary, latency)
  local errors = summary.errors
  say(string.format(
    '{"answered":%d,"refused":%d,"broken":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d}',
    summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
