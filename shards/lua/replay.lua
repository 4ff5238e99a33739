#!lua name=scrutin_replay
-- Gives an empty shard the ballots of earlier before it decides any. From begin to finish the
-- shard's meta says 'replay' = 'open', and a load cannot declare it ready; afterwards 'done'.

local function check_open(meta, roll_id)
  local held = redis.call('HMGET', meta, 'replay', 'roll')
  if held[1] == 'open' and held[2] == roll_id then return nil end
  return redis.error_reply('NOREPLAY this shard is not open for a replay of that roll')
end

-- Opens a shard, or confirms that it is open.
-- KEYS  1 {xx}:meta
--       2 {xx}:out
-- Returns 'open', 'done' when its replay is finished, 'used' when it held a roll or events before.
local function begin(keys)
  local held = redis.call('HMGET', keys[1], 'replay', 'roll')
  if held[1] then return held[1] end
  if held[2] or redis.call('EXISTS', keys[2]) == 1 then return 'used' end
  redis.call('HSET', keys[1], 'replay', 'open')
  return 'open'
end

-- Writes the ballots of one bucket, all or none; safe to repeat.
-- KEYS  1 {xx}:b:<bucket>
--       2 {xx}:meta
--       3 and on: {xx}:r:<field> of those with duplicate attempts
-- ARGV  1 roll id
--       2 number of ballots
--       then field and record of each, then the values of keys 3 and on
-- Returns  0 and how many were written; or -1 and which of them (from 1) is not on the roll; or
--          -2 and which of them has another record already
local function fill(keys, args)
  local refusal = check_open(keys[2], args[1])
  if refusal then return refusal end
  local ballots, written = tonumber(args[2]), {}
  for number = 1, ballots do
    local field, record = args[2 * number + 1], args[2 * number + 2]
    local held = redis.call('HGET', keys[1], field)
    if not held then return { -1, number } end
    if held ~= '0' and held ~= record then return { -2, number } end
    if held == '0' then
      written[#written + 1] = field
      written[#written + 1] = record
    end
  end
  if #written > 0 then redis.call('HSET', keys[1], unpack(written)) end
  for number = 3, #keys do
    redis.call('SET', keys[number], args[2 * ballots + number])
  end
  return { 0, #written / 2 }
end

-- Lets the outbox's ids continue above those given before, whatever this server's clock says.
-- KEYS  1 {xx}:out
--       2 {xx}:meta
-- ARGV  1 roll id
--       2 the last event id of earlier
local function continue_after(keys, args)
  local refusal = check_open(keys[2], args[1])
  if refusal then return refusal end
  if redis.call('EXISTS', keys[1]) == 1 then
    if redis.call('XLEN', keys[1]) > 0 then
      return redis.error_reply('NOREPLAY this shard has events in its outbox')
    end
    redis.call('DEL', keys[1])
  end
  redis.call('XADD', keys[1], 'MAXLEN', 0, args[2], 'replay', '')
  return redis.status_reply('OK')
end

-- Lets the ids of the review queue's trail continue above the last one copied before; entries that
-- it has stay, and ids that are above already.
-- KEYS  1 {00}:review:trail
--       2 {00}:meta
-- ARGV  1 roll id
--       2 the last entry's id of earlier
local function continue_trail_after(keys, args)
  local refusal = check_open(keys[2], args[1])
  if refusal then return refusal end
  local added = redis.pcall('XADD', keys[1], args[2], 'replay', '')
  if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller', 1, true) then return added end
  else
    redis.call('XDEL', keys[1], args[2])
  end
  return redis.status_reply('OK')
end

-- Declares the shard complete: from now on ballots are decided.
-- KEYS  1 {xx}:meta
-- ARGV  1 roll id
local function finish(keys, args)
  local refusal = check_open(keys[1], args[1])
  if refusal then return refusal end
  redis.call('HSET', keys[1], 'replay', 'done', 'ready', args[1])
  return redis.status_reply('OK')
end

redis.register_function('scrutin_replay_begin', begin)
redis.register_function('scrutin_replay_fill', fill)
redis.register_function('scrutin_replay_continue_after', continue_after)
redis.register_function('scrutin_replay_continue_trail_after', continue_trail_after)
redis.register_function('scrutin_replay_finish', finish)
