
-- A hash of electors: a bucket of some, or a whole shard.
-- KEYS  2 {xx}:b:<bucket>   hash: field = elector, value = '0' (has not voted) or the record
local function cast(keys, args)
  local record = redis.call('HGET', keys[2], args[1])
  if not record then return INVALID end
  if record ~= '0' then return decide_again(record, keys, args) end
  redis.call('HSET', keys[2], args[1], args[2] .. args[3])
  return ACCEPTED
end

redis.register_function('structures_cast', cast)
