-- The attempts refused in the ten minutes up to the latest of them, the latest first.
SELECT
    timestamp,
    status,
    law_id,
    vote_hash,
    attempt
FROM scrutin.review_queue
WHERE timestamp > (SELECT max(timestamp) FROM scrutin.review_queue) - INTERVAL 10 MINUTE
ORDER BY timestamp DESC, shard, stream_seq DESC
LIMIT 100
