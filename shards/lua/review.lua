#!lua name=scrutin_review
-- Who works on which case of the review queue, and what was decided: one atomic step each, with its
-- entry in the trail. Entries are never changed and never removed.
--
-- KEYS  1 {00}:review:case:<case>     hash: the case as it stands
--       2 {00}:review:trail           stream: every entry
--       3 {00}:review:history:<case>  stream: the entries of this case, under the same ids
-- ARGV  1 case id
--       2 auditor                     a name
--       3 act id                      names the call: sent again it does nothing more
--       then as each function says
-- Each returns a code and, where there is one, the auditor who has or had the case.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function read(key)
  local held = redis.call('HMGET', key, 'state', 'auditor', 'until_ms', 'attempts', 'act')
  return {
    state = held[1], auditor = held[2], until_ms = tonumber(held[3] or '0'),
    attempts = tonumber(held[4] or '0'), act = held[5],
  }
end

local function append(keys, args, action, attempts, decision, why)
  local fields = { 'c', args[1], 'a', action, 'u', args[2], 'i', args[3],
    'n', string.format('%.0f', attempts), 'd', decision, 'y', why }
  local id = redis.call('XADD', keys[2], '*', unpack(fields))
  redis.call('XADD', keys[3], id, unpack(fields))
end

-- Written again unchanged, so that the caller's durability wait covers the first write.
local function confirm(keys, args)
  redis.call('HSET', keys[1], 'act', args[3])
end

-- Takes a case, or keeps it for longer.
-- ARGV  4 attempts   as many as the auditor saw
--       5 lease      in ms: afterwards others may take the case
-- Codes: claimed; held by another auditor; decided, and no attempt has come since
local function claim(keys, args)
  local held, attempts, now = read(keys[1]), tonumber(args[4]), now_ms()
  local mine = held.state == 'claimed' and held.auditor == args[2]
  if held.state == 'claimed' and not mine and held.until_ms > now then
    return { 'held', held.auditor }
  end
  if held.state == 'resolved' and attempts <= held.attempts then
    return { 'decided', held.auditor }
  end
  redis.call('HSET', keys[1], 'state', 'claimed', 'auditor', args[2], 'act', args[3],
    'until_ms', string.format('%.0f', now + tonumber(args[5])),
    'attempts', string.format('%.0f', attempts))
  if not mine then append(keys, args, 'claim', attempts, '', '') end
  return { 'claimed', args[2] }
end

-- Decides a case that this auditor has taken: once.
-- ARGV  4 decision
--       5 why
-- Codes: resolved; held by another auditor; open: nobody has taken it; decided already
local function resolve(keys, args)
  local held = read(keys[1])
  if held.state == 'resolved' then
    if held.act ~= args[3] then return { 'decided', held.auditor } end
    confirm(keys, args)
    return { 'resolved', held.auditor }
  end
  if held.state ~= 'claimed' then return { 'open', '' } end
  if held.auditor ~= args[2] then return { 'held', held.auditor } end
  redis.call('HSET', keys[1], 'state', 'resolved', 'act', args[3], 'decision', args[4],
    'why', args[5], 'at_ms', string.format('%.0f', now_ms()))
  append(keys, args, 'resolve', held.attempts, args[4], args[5])
  return { 'resolved', args[2] }
end

-- Puts a decided case back into the queue; what was decided stays in the trail.
-- ARGV  4 why
-- Codes: reopened; undecided: there is nothing to take back
local function reopen(keys, args)
  local held = read(keys[1])
  if held.state == 'open' and held.act == args[3] then
    confirm(keys, args)
    return { 'reopened', held.auditor }
  end
  if held.state ~= 'resolved' then return { 'undecided', held.auditor or '' } end
  redis.call('HSET', keys[1], 'state', 'open', 'auditor', args[2], 'act', args[3])
  append(keys, args, 'reopen', held.attempts, '', args[4])
  return { 'reopened', args[2] }
end

-- Gives one of several callers the turn.
-- KEYS  1 {00}:review:turn   string: whose turn it is, expires
-- ARGV  1 caller
--       2 turn in ms
-- Returns 1 when it is the caller's now, 0 while it is another's.
local function take_turn(keys, args)
  -- One that seems longer is from before the clock was set back: it is void.
  if redis.call('PTTL', keys[1]) > tonumber(args[2]) then redis.call('DEL', keys[1]) end
  return redis.call('SET', keys[1], args[1], 'NX', 'PX', args[2]) and 1 or 0
end

-- Adds an edge's counts of refused votes by network to those of an hour, within a bound.
-- KEYS  1 {00}:review:networks:<hour>   hash: field "<tag>:d" duplicates, "<tag>:i" invalid
-- ARGV  1 networks at most
--       2 seconds that the hour is kept
--       then tag, duplicates and invalid of each network
-- Returns how many networks found no place.
local function count_networks(keys, args)
  local left_out, room = 0, 2 * tonumber(args[1]) - redis.call('HLEN', keys[1])
  for first = 3, #args, 3 do
    local known = redis.call('HEXISTS', keys[1], args[first] .. ':d') == 1
    if not known then room = room - 2 end
    if known or room >= 0 then
      redis.call('HINCRBY', keys[1], args[first] .. ':d', args[first + 1])
      redis.call('HINCRBY', keys[1], args[first] .. ':i', args[first + 2])
    else
      left_out = left_out + 1
    end
  end
  redis.call('EXPIRE', keys[1], args[2])
  return left_out
end

redis.register_function('scrutin_claim', claim)
redis.register_function('scrutin_resolve', resolve)
redis.register_function('scrutin_reopen', reopen)
redis.register_function('scrutin_take_turn', take_turn)
redis.register_function('scrutin_count_networks', count_networks)
