#!lua name=scrutin_results
-- Publishes a tally snapshot, unless a newer one is there: of two drainers the slower one must
-- not turn the results back. Newer is what counts more ballots and, of equals, what is complete
-- until a later time; no drainer's clock has a say. Of snapshots that were corrected by different
-- numbers of ballots the later is newer, even if it counts fewer. A time that has not come yet is
-- from before the clock was set back: any other is later.
--
-- KEYS  1 {00}:results   string: the snapshot as JSON
-- ARGV  1 the snapshot, an object with "tallies", "complete_until_ms", "corrected"
-- Returns 1 when published, 0 when a newer one was there.
local function age(text)
  local snapshot = cjson.decode(text)
  local ballots = 0
  for _, tally in ipairs(snapshot.tallies) do
    ballots = ballots + tally.oui_count + tally.non_count
  end
  return ballots, snapshot.complete_until_ms, snapshot.corrected or 0
end

local function publish(keys, args)
  local held = redis.call('GET', keys[1])
  if held then
    local held_ballots, held_until_ms, held_corrected = age(held)
    if held_until_ms > tonumber(redis.call('TIME')[1] + 1) * 1000 then held_until_ms = 0 end
    local ballots, until_ms, corrected = age(args[1])
    if corrected ~= held_corrected then
      held_ballots = math.min(held_ballots, ballots)
    end
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
