-- What was tried with one ballot, but for what was chosen.
SELECT
    toUnixTimestamp64Milli(timestamp),
    status,
    law_id,
    attempt,
    request_id
FROM scrutin.vote_audit FINAL
WHERE vote_hash = {vote_hash:String}
ORDER BY stream_ms, shard, stream_seq
LIMIT {limit:UInt32}
