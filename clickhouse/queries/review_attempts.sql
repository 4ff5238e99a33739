-- What was tried with one ballot, but for what was chosen and the request ids, which could tell.
SELECT
    toUnixTimestamp64Milli(timestamp),
    status,
    law_id,
    attempt
FROM scrutin.vote_audit FINAL
WHERE vote_hash = {vote_hash:String}
ORDER BY stream_ms, shard, stream_seq
LIMIT {limit:UInt32}
