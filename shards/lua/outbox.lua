#!lua name=scrutin_outbox
-- The drain's side of a shard's outbox.

local LEASE_MS_MAX = 60000

local function now_in_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Takes or renews the lease on a shard's outbox and says how far it reaches.
--
-- Renewing is a write behind all the entries it reports: once the caller's durability wait
-- confirms it, none of them can be undone by a failover. That makes it the drain's fence.
--
-- Every lease taken has a token, higher than all before it; renewing keeps it. Tokens begin at the
-- server's clock, so that those of a shard that was lost and rebuilt do not come again.
--
-- KEYS  1 {xx}:out     stream
--       2 {xx}:lease   string: the owner's name, expires
--       3 {xx}:token   string: the token of the latest lease
-- ARGV  1 owner
--       2 lease in ms, at most LEASE_MS_MAX
-- Returns  server time in ms, entries in the outbox, the ids of the first and the last (0-0 when
--          it is empty), the lease's token: 0 when it is empty or another owner holds the lease
local function fence(keys, args)
  local now_ms = now_in_ms()
  local length = redis.call('XLEN', keys[1])
  local first, last = '0-0', '0-0'
  if length > 0 then
    first = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)[1][1]
    last = redis.call('XREVRANGE', keys[1], '+', '-', 'COUNT', 1)[1][1]
  end
  local owner = redis.call('GET', keys[2])
  -- A lease that seems longer is from before the clock was set back: it is void.
  if owner and redis.call('PTTL', keys[2]) > LEASE_MS_MAX then owner = nil end
  if length == 0 or (owner and owner ~= args[1]) then
    -- Written again unchanged, so that the wait covers this too: an old primary that has not heard
    -- of its successor must not say that nothing is left.
    redis.call('SET', keys[3], redis.call('GET', keys[3]) or '0')
    return { now_ms, length, first, last, 0 }
  end
  local token = tonumber(redis.call('GET', keys[3]) or 0)
  if not owner then
    token = math.max(token + 1, now_ms * 1000)
    redis.call('SET', keys[3], string.format('%.0f', token))
  end
  redis.call('SET', keys[2], args[1], 'PX', args[2])
  return { now_ms, length, first, last, token }
end

-- Keeps a lease from expiring while its batch is being stored.
-- KEYS  1 {xx}:lease
--       2 {xx}:token
-- ARGV  1 owner
--       2 token
--       3 lease in ms
-- Returns 1, or 0 when somebody else took a lease since.
local function renew(keys, args)
  if redis.call('GET', keys[2]) ~= args[2] then return 0 end
  redis.call('SET', keys[1], args[1], 'PX', args[3])
  return 1
end

-- Drops the entries of a stored batch, unless somebody else took a lease since it was read: then
-- the batch, or the shard, may not be what it was. A lease that only expired still trims, or
-- slow inserts would never come to an end.
-- KEYS  1 {xx}:out
--       2 {xx}:token
-- ARGV  1 token
--       2 id of the first entry to keep
-- Returns  entries dropped, or -1 when refused
local function trim(keys, args)
  if redis.call('GET', keys[2]) ~= args[1] then return -1 end
  return redis.call('XTRIM', keys[1], 'MINID', args[2])
end

-- Gives the lease back, if it is still ours.
-- KEYS  1 {xx}:lease
-- ARGV  1 owner
local function release(keys, args)
  if redis.call('GET', keys[1]) == args[1] then return redis.call('DEL', keys[1]) end
  return 0
end

-- Says how much waits and for how long.
-- KEYS  1 {xx}:out
-- Returns  entries, age of the oldest in ms
local function depth(keys)
  local first = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)
  if #first == 0 then return { 0, 0 } end
  local added_ms = tonumber(string.match(first[1][1], '^%d+'))
  return { redis.call('XLEN', keys[1]), math.max(0, now_in_ms() - added_ms) }
end

-- Allowed when memory is full: draining is what frees it.
local function register(name, callback)
  redis.register_function{ function_name = name, callback = callback, flags = { 'allow-oom' } }
end

register('scrutin_fence', fence)
register('scrutin_renew', renew)
register('scrutin_trim', trim)
register('scrutin_release', release)
redis.register_function{
  function_name = 'scrutin_depth', callback = depth, flags = { 'no-writes' }
}
