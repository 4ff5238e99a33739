
-- A set of valid hashes and a set of those who voted, in hex; records beside them.
-- KEYS  2 {xx}:valid        set: electors
--       3 {xx}:voted        set: electors who voted
--       4 {xx}:requests     hash: field = elector who voted, value = the record
-- The number of duplicates is the length of what KEYS 1 holds.
local function cast(keys, args)
  if redis.call('SISMEMBER', keys[2], args[1]) == 0 then return INVALID end
  if redis.call('SISMEMBER', keys[3], args[1]) == 0 then
    redis.call('SADD', keys[3], args[1])
    redis.call('HSET', keys[4], args[1], args[2] .. args[3])
    return ACCEPTED
  end
  return decide_again(redis.call('HGET', keys[4], args[1]), keys, args)
end

redis.register_function('structures_cast', cast)
