#!lua name=scrutin_results
-- Publishes a tally snapshot, unless a newer one is there: of two drainers the slower one must
-- not turn the results back.
--
-- KEYS  1 {00}:results   string: the snapshot as JSON
-- ARGV  1 the snapshot, an object with a number "updated_at_ms"
-- Returns 1 when published, 0 when a newer one was there.
local function publish(keys, args)
  local held = redis.call('GET', keys[1])
  if held and cjson.decode(held).updated_at_ms > cjson.decode(args[1]).updated_at_ms then
    return 0
  end
  redis.call('SET', keys[1], args[1])
  return 1
end

-- Allowed when memory is full: it takes the place of the snapshot before it.
redis.register_function{
  function_name = 'scrutin_publish', callback = publish, flags = { 'allow-oom' }
}
