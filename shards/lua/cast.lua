#!lua name=scrutin_cast
-- Decides one ballot in one atomic step, and writes the decision to the shard's outbox.
-- scrutin_cast takes any ballot; scrutin_recall answers those that were decided before and takes
-- no other, for a server that is nearly full. What is not on the roll is written as often as it is
-- sent, also under one request id: nothing is kept of strangers to know them by.
--
-- KEYS  1 {xx}:b:<bucket>   hash: the electors' fields
--       2 {xx}:out          stream: the outbox
--       3 {xx}:meta         hash: roll id, law windows, laws that are frozen
--       4 {xx}:r:<field>    string: request ids of this elector's latest duplicates
-- ARGV  1 roll id           must be the loaded one
--       2 field             12 bytes
--       3 ballot hash       32 bytes
--       4 law id
--       5 choice            'oui' or 'non'
--       6 request id        16 bytes
-- Returns an integer:
--       n > 0  duplicate, the n-th attempt after the accepted one
--       0      accepted (also when the same request comes again)
--       -1     invalid: not on the roll
--       -2     closed: outside the law's window by this server's clock, or frozen
--       -3     conflict: the request id was used with another choice
--       -4     full: not decided, and nothing written (scrutin_recall)
-- Errors: NOROLL when the shard holds no complete roll, or another one.
--
-- A field's value is '0' (has not voted) or a record: 1 byte choice, 16 bytes request id of the
-- accepted ballot, then the number of duplicate attempts in decimal, nothing for none.
-- A repeat is 17 bytes: request id and choice; the latest 32 are kept, oldest first.

local ACCEPTED, INVALID, CLOSED, CONFLICT, FULL = 0, -1, -2, -3, -4
local FIELD_BYTES, REPEAT_BYTES, REPEATS_MAX = 12, 17, 32

local function append(outbox, args, law_id, status, attempt)
  redis.call('XADD', outbox, '*', 'h', args[3], 'l', law_id, 'v', args[5], 's', status,
    'r', args[6], 'n', attempt)
end

-- Returns how many attempts ago (1 = the latest) this request was counted and its choice,
-- or nil when it was not.
local function find_repeat(repeats, request_id)
  for first = #repeats - REPEAT_BYTES + 1, 1, -REPEAT_BYTES do
    if string.sub(repeats, first, first + 15) == request_id then
      return (#repeats - first + 1) / REPEAT_BYTES, string.sub(repeats, first + 16, first + 16)
    end
  end
  return nil
end

local function within_window(meta)
  local opens_ms, closes_ms = tonumber(meta[2]), tonumber(meta[3])
  -- frozen: final results are out, whatever the clock of a server that takes over says
  if not opens_ms or not closes_ms or meta[4] then return false end
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  return opens_ms <= now_ms and now_ms < closes_ms
end

local function decide(keys, args, takes_new)
  local bucket, outbox, repeats_key = keys[1], keys[2], keys[4]
  local field, law_id, request_id = args[2], args[4], args[6]
  local choice = string.sub(args[5], 1, 1)
  if #field ~= FIELD_BYTES or #args[3] ~= 32 or #request_id ~= 16 or (args[5] ~= 'oui' and args[5] ~= 'non') then
    return redis.error_reply('ERR malformed cast arguments')
  end
  local meta = redis.call('HMGET', keys[3], 'ready', 'opens:' .. law_id, 'closes:' .. law_id,
    'frozen:' .. law_id)
  if meta[1] ~= args[1] then
    return redis.error_reply('NOROLL this shard does not hold the whole of that roll')
  end

  local record = redis.call('HGET', bucket, field)
  if not record then
    if not takes_new then return FULL end
    -- Where a client mixed up its fields, the name of no law may be a NAS or a code.
    append(outbox, args, meta[2] and law_id or '', 'invalid', 0)
    return INVALID
  end

  local repeats = ''
  if record ~= '0' then
    if string.sub(record, 2, 17) == request_id then
      -- Written again unchanged, so that the caller's durability wait covers the first write,
      -- which may have come over another connection.
      redis.call('HSET', bucket, field, record)
      if string.sub(record, 1, 1) ~= choice then return CONFLICT end
      return ACCEPTED
    end
    repeats = redis.call('GET', repeats_key) or ''
    local ago, repeat_choice = find_repeat(repeats, request_id)
    if ago then
      redis.call('HSET', bucket, field, record)
      if repeat_choice ~= choice then return CONFLICT end
      return tonumber(string.sub(record, 18)) - ago + 1
    end
  end

  if not within_window(meta) then return CLOSED end
  if not takes_new then return FULL end

  if record == '0' then
    append(outbox, args, law_id, 'accepted', 0)
    redis.call('HSET', bucket, field, choice .. request_id)
    return ACCEPTED
  end

  local attempt = (tonumber(string.sub(record, 18)) or 0) + 1
  append(outbox, args, law_id, 'duplicate', attempt)
  redis.call('HSET', bucket, field, string.sub(record, 1, 17) .. attempt)
  redis.call('SET', repeats_key,
    string.sub(repeats .. request_id .. choice, -REPEAT_BYTES * REPEATS_MAX))
  return attempt
end

redis.register_function('scrutin_cast', function(keys, args) return decide(keys, args, true) end)
-- Allowed when memory is full: what it writes takes the place of what was there.
redis.register_function{
  function_name = 'scrutin_recall', flags = { 'allow-oom' },
  callback = function(keys, args) return decide(keys, args, false) end
}
