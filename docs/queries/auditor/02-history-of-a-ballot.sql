-- Every attempt with one ballot, here the one that was tried again most often.
SELECT
    timestamp,
    law_id,
    status,
    attempt
FROM scrutin.vote_audit FINAL
WHERE vote_hash =
(
    SELECT vote_hash
    FROM scrutin.duplicate_attempts
    ORDER BY attempt_count DESC, vote_hash
    LIMIT 1
)
ORDER BY stream_ms, shard, stream_seq
