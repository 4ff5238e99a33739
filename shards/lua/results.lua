#!lua name=scrutin_results
-- Publishes a tally snapshot, unless a newer one is there: of two drainers the slower one must
-- not turn the results back. Newer is what counts more ballots and, of equals, what is complete
-- until a later time; no drainer's clock has a say.
--
-- KEYS  1 {00}:results   string: the snapshot as JSON
-- ARGV  1 the snapshot, an object with "tallies" and "complete_until_ms"
-- Returns 1 when published, 0 when a newer one was there.
local function age(text)
  local snapshot = cjson.decode(text)
  local ballots = 0
  for _, tally in ipairs(snapshot.tallies) do
    ballots = ballots + tally.oui_count + tally.non_count
  end
  return ballots, snapshot.complete_until_ms
end

local function publish(keys, args)
  local held = redis.call('GET', keys[1])
  if held then
    local held_ballots, held_until_ms = age(held)
    local ballots, until_ms = age(args[1])
    if ballots < held_ballots or (ballots == held_ballots and until_ms < held_until_ms) then
      return 0
    end
  end
  redis.call('SET', keys[1], args[1])
  return 1
end

-- Allowed when memory is full: it takes the place of the snapshot before it.
redis.register_function{
  function_name = 'scrutin_publish', callback = publish, flags = { 'allow-oom' }
}
