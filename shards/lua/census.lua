#!lua name=scrutin_census
-- Reads a shard for comparison. Nothing here writes.

-- Lists the records of the electors who have voted.
-- KEYS  buckets of one shard
-- Returns  how many electors the buckets hold, then field and record of each who has voted
local function census(keys)
  local reply, electors = { 0 }, 0
  for _, bucket in ipairs(keys) do
    local pairs_held = redis.call('HGETALL', bucket)
    electors = electors + #pairs_held / 2
    for first = 1, #pairs_held, 2 do
      if pairs_held[first + 1] ~= '0' then
        reply[#reply + 1] = pairs_held[first]
        reply[#reply + 1] = pairs_held[first + 1]
      end
    end
  end
  reply[1] = electors
  return reply
end

-- Says how far a shard has come: the last event id it gave, whether or not it is in the outbox.
-- KEYS  1 {xx}:out
-- Returns an event id, '0-0' when there was no event yet.
local function last_event(keys)
  if redis.call('EXISTS', keys[1]) == 0 then return '0-0' end
  local facts = redis.call('XINFO', 'STREAM', keys[1])
  for number = 1, #facts, 2 do
    if facts[number] == 'last-generated-id' then return facts[number + 1] end
  end
  return redis.error_reply('ERR this server does not tell the last id of a stream')
end

redis.register_function{
  function_name = 'scrutin_census', callback = census, flags = { 'no-writes' }
}
redis.register_function{
  function_name = 'scrutin_last_event', callback = last_event, flags = { 'no-writes' }
}
