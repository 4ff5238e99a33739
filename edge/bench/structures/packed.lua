
-- Electors and their records in one string, an entry of 29 bytes each.
-- KEYS  2 {xx}:b:<bucket>   string: entries; a record of zeros means has not voted
local WIDTH = FIELD_BYTES + RECORD_BYTES

local function cast(keys, args)
  local entries = redis.call('GET', keys[2])
  local offset = entries and offset_of(entries, args[1], WIDTH)
  if not offset then return INVALID end
  local record = string.sub(entries, offset + FIELD_BYTES + 1, offset + WIDTH)
  if string.byte(record) ~= 0 then return decide_again(record, keys, args) end
  redis.call('SETRANGE', keys[2], offset + FIELD_BYTES, args[2] .. args[3])
  return ACCEPTED
end

redis.register_function('structures_cast', cast)
