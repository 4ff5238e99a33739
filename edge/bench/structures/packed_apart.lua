
-- Electors in one string, their records in another that the bucket's first ballot makes.
-- KEYS  2 {xx}:b:<bucket>   string: electors, 12 bytes each
--       3 {xx}:v:<bucket>   string: records in the same order; zeros mean has not voted

local function cast(keys, args)
  local electors = redis.call('GET', keys[2])
  local offset = electors and offset_of(electors, args[1], FIELD_BYTES)
  if not offset then return INVALID end
  local at = offset / FIELD_BYTES * RECORD_BYTES
  local record = redis.call('GETRANGE', keys[3], at, at + RECORD_BYTES - 1)
  if record == '' then
    -- At its full length at once: a string that grows takes twice what it needs.
    redis.call('SETRANGE', keys[3], #electors / FIELD_BYTES * RECORD_BYTES - 1, '\0')
  elseif string.byte(record) ~= 0 then
    return decide_again(record, keys, args)
  end
  redis.call('SETRANGE', keys[3], at, args[2] .. args[3])
  return ACCEPTED
end

redis.register_function('structures_cast', cast)
