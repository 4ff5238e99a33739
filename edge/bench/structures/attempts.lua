#!lua name=structures
-- What the scripts of this folder have in common; goes before each of them.
--
-- They decide as `scrutin_cast` does, without law windows and without the outbox, which would cost
-- every structure the same.
--
-- KEYS  1 {xx}:r:<elector>  string: request ids of this elector's duplicates, 16 bytes each
--       2 and on            what the structure is made of
-- ARGV  1 elector           12 bytes of the ballot hash, or 64 hex digits
--       2 choice            'o' or 'n'
--       3 request id        16 bytes
-- Returns n > 0 for the n-th duplicate, 0 accepted, -1 invalid, -3 conflict. A request that comes
-- again is answered as before.
--
-- A record is 17 bytes: choice and request id of the accepted ballot.

local ACCEPTED, INVALID, CONFLICT = 0, -1, -3
local FIELD_BYTES, ID_BYTES, RECORD_BYTES = 12, 16, 17

-- Counts a duplicate, unless its request was counted before, and returns its number.
local function count_duplicate(duplicates, request_id)
  local seen = redis.call('GET', duplicates) or ''
  for first = 1, #seen, ID_BYTES do
    if string.sub(seen, first, first + ID_BYTES - 1) == request_id then
      return (first - 1) / ID_BYTES + 1
    end
  end
  return redis.call('APPEND', duplicates, request_id) / ID_BYTES
end

-- Decides a ballot of an elector who has voted.
local function decide_again(record, keys, args)
  if string.sub(record, 2) ~= args[3] then return count_duplicate(keys[1], args[3]) end
  if string.sub(record, 1, 1) ~= args[2] then return CONFLICT end
  return ACCEPTED
end

-- Returns how many bytes lie before an elector in a string of entries of that width, or nil.
-- What is found across two entries, or in a record, is nobody.
local function offset_of(entries, elector, width)
  local first = string.find(entries, elector, 1, true)
  while first and (first - 1) % width ~= 0 do
    first = string.find(entries, elector, first + 1, true)
  end
  return first and first - 1
end
