-- The client's own log: what was answered to each request in the end, `unanswered` if nothing was.
CREATE TABLE IF NOT EXISTS operations.answers
(
    vote_hash String,
    request_id UUID,
    vote Enum8('oui' = 1, 'non' = 2),
    status Enum8('accepted' = 1, 'duplicate' = 2, 'invalid' = 3, 'unanswered' = 4),
    attempt UInt32
)
ENGINE = MergeTree
ORDER BY vote_hash
