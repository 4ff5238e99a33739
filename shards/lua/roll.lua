#!lua name=scrutin_roll
-- Fills a shard with its part of the roll, without ever touching a cast ballot.

local FIELD_BYTES = 12

local function check_not_removed(meta)
  if not redis.call('HGET', meta, 'removing') then return nil end
  return redis.error_reply('REMOVING a roll is being removed: wait for the end, or let what began it'
    .. ' (`scrutin roll unload`, `scrutin rehearse-accuracy --wipe-only`) run again')
end

-- Opens a shard for loading, or confirms that it is open for the same roll. A law that is frozen
-- keeps its window: it must be given as it is. One that has closed, by this server's clock, is not
-- opened again unless that is asked for: its count may have been seen. Nor is one closed at a time
-- that has passed: ballots were taken since, and a count up to then would be final without them. A
-- roll keeps its layout, which its info tells: buckets and fields of another would be looked for in vain.
-- KEYS  1 {xx}:meta
-- ARGV  1 roll id
--       2 '1' when laws that have closed may be opened again
--       then field and value pairs to set (info, law windows)
-- Returns 'OK', 'READY' when the shard takes ballots already, 'LAYOUT' when it holds the roll in another
-- layout, or the id of the other roll that it holds.
local function roll_begin(keys, args)
  local refusal = check_not_removed(keys[1])
  if refusal then return refusal end
  local held = redis.call('HMGET', keys[1], 'roll', 'ready', 'info')
  if held[1] and held[1] ~= args[1] then return held[1] end
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  for place = 3, #args - 1, 2 do
    local name, value = args[place], args[place + 1]
    if name == 'info' and held[3] and held[3] ~= value then return redis.status_reply('LAYOUT') end
    local what, law_id = string.match(name, '^(%a+):(.*)$')
    local was = law_id and redis.call('HGET', keys[1], name)
    if was and was ~= value and redis.call('HGET', keys[1], 'frozen:' .. law_id) then
      return redis.error_reply('FROZEN the results of law ' .. law_id .. ' are final, its hours stay')
    end
    if was and what == 'closes' and held[2] then
      local closed_ms, closes_ms = tonumber(was), tonumber(value)
      if closed_ms <= now_ms and closes_ms > closed_ms and args[2] ~= '1' then
        return redis.error_reply('CLOSED law ' .. law_id .. ' has closed, and its count may have been'
          .. ' seen: load its hours as they were, or say --reopen')
      end
      if closes_ms < closed_ms and closes_ms <= now_ms then
        return redis.error_reply('PAST law ' .. law_id .. ' may have taken votes since the closing time'
          .. ' given: load one that is still to come')
      end
    end
  end
  redis.call('HSET', keys[1], 'roll', args[1], unpack(args, 3))
  return redis.status_reply(held[2] and 'READY' or 'OK')
end

-- Writes one bucket, wholly or (when it is there already) not at all.
-- KEYS  1 {xx}:b:<bucket>
--       2 {xx}:meta
-- ARGV  1 roll id
--       2 the bucket's fields, 12 bytes each, joined
--       3 '1' when the bucket must be there: the roll has taken ballots
-- Returns 1 when written, 0 when the bucket was there, -1 when it must be and is not.
local function roll_fill(keys, args)
  if redis.call('HGET', keys[2], 'roll') ~= args[1] then
    return redis.error_reply('NOROLL this shard is not open for that roll')
  end
  if redis.call('EXISTS', keys[1]) == 1 then return 0 end
  if args[3] == '1' then return -1 end
  local pairs_to_set = {}
  for first = 1, #args[2], FIELD_BYTES do
    pairs_to_set[#pairs_to_set + 1] = string.sub(args[2], first, first + FIELD_BYTES - 1)
    pairs_to_set[#pairs_to_set + 1] = '0'
  end
  redis.call('HSET', keys[1], unpack(pairs_to_set))
  return 1
end

-- Declares the shard complete: from now on ballots are decided. Not while ballots of earlier are
-- being replayed into it: who has voted would vote again.
-- KEYS  1 {xx}:meta
-- ARGV  1 roll id
local function roll_finish(keys, args)
  local refusal = check_not_removed(keys[1])
  if refusal then return refusal end
  if redis.call('HGET', keys[1], 'replay') == 'open' then
    return redis.error_reply('REPLAYING a replay of this shard is not finished: run it again')
  end
  if redis.call('HGET', keys[1], 'roll') ~= args[1] then
    return redis.error_reply('NOROLL this shard is not open for that roll')
  end
  redis.call('HSET', keys[1], 'ready', args[1])
  return redis.status_reply('OK')
end

-- Freezes a law that is closed by this server's clock: the shard takes no more ballots on it, ever.
-- KEYS  1 {xx}:meta
-- ARGV  1 roll id
--       2 law id
-- Returns  server time in ms, and when the law was frozen, now or before: 0 when it is not closed
local function roll_freeze(keys, args)
  local meta = redis.call('HMGET', keys[1], 'ready', 'closes:' .. args[2])
  if meta[1] ~= args[1] then
    return redis.error_reply('NOROLL this shard does not hold the whole of that roll')
  end
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local frozen = redis.call('HGET', keys[1], 'frozen:' .. args[2])
  if not frozen then
    if not tonumber(meta[2]) or now_ms < tonumber(meta[2]) then return { now_ms, 0 } end
    frozen = now_ms
  end
  -- Written again when it was there, so that the caller's durability wait covers it.
  redis.call('HSET', keys[1], 'frozen:' .. args[2], frozen)
  return { now_ms, tonumber(frozen) }
end

-- Takes no ballot and lets no load begin or end any more; safe to repeat.
-- KEYS  1 {xx}:meta
local function roll_stop(keys)
  redis.call('HSET', keys[1], 'removing', 1)
  redis.call('HDEL', keys[1], 'ready')
  return redis.status_reply('OK')
end

redis.register_function('scrutin_roll_begin', roll_begin)
redis.register_function('scrutin_roll_freeze', roll_freeze)
redis.register_function('scrutin_roll_fill', roll_fill)
redis.register_function('scrutin_roll_finish', roll_finish)
redis.register_function('scrutin_roll_stop', roll_stop)
