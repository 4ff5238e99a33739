-- What analysts read by name. Each view reads with FINAL, so rows not yet collapsed never show.

CREATE OR REPLACE VIEW scrutin.vote_results
(
    law_id LowCardinality(String) COMMENT 'Law voted on',
    oui_count UInt64 COMMENT 'Accepted ballots for',
    non_count UInt64 COMMENT 'Accepted ballots against',
    updated_at DateTime64(3, 'UTC') COMMENT 'When the latest of them was accepted'
)
AS SELECT
    law_id,
    countIf(vote = 'oui') AS oui_count,
    countIf(vote = 'non') AS non_count,
    max(timestamp) AS updated_at
FROM scrutin.ballots FINAL
GROUP BY law_id
COMMENT 'Tally of each law that has a ballot';

CREATE OR REPLACE VIEW scrutin.duplicate_attempts
(
    vote_hash String COMMENT 'Ballot hash, 64 lower-case hex digits',
    attempt_count UInt64 COMMENT 'Attempts after the accepted one',
    first_attempt DateTime64(3, 'UTC') COMMENT 'The earliest of them',
    last_attempt DateTime64(3, 'UTC') COMMENT 'The latest of them'
)
AS SELECT
    vote_hash,
    count() AS attempt_count,
    min(timestamp) AS first_attempt,
    max(timestamp) AS last_attempt
FROM scrutin.vote_audit FINAL
WHERE status = 'duplicate'
GROUP BY vote_hash
COMMENT 'Ballots that somebody tried to cast again';

CREATE OR REPLACE VIEW scrutin.review_queue
(
    timestamp DateTime64(3, 'UTC') COMMENT 'When the attempt was decided',
    status Enum8('accepted' = 1, 'duplicate' = 2, 'invalid' = 3) COMMENT 'duplicate or invalid',
    law_id LowCardinality(String) COMMENT 'Law voted on',
    vote_hash String COMMENT 'Ballot hash, 64 lower-case hex digits',
    vote Enum8('oui' = 1, 'non' = 2) COMMENT 'Choice made in this attempt',
    attempt UInt32 COMMENT 'n for the n-th duplicate of a ballot, else 0',
    request_id UUID COMMENT 'Names the request, whichever times it was sent',
    shard UInt8 COMMENT 'With stream_ms and stream_seq the event id',
    stream_ms UInt64 COMMENT 'When the attempt was decided, ms since 1970',
    stream_seq UInt32 COMMENT 'Orders the attempts of one shard decided in the same ms'
)
AS SELECT
    timestamp, status, law_id, vote_hash, vote, attempt, request_id, shard, stream_ms, stream_seq
FROM scrutin.vote_audit FINAL
WHERE status != 'accepted'
COMMENT 'Duplicate and invalid attempts, for manual audit';

CREATE OR REPLACE VIEW scrutin.turnout_by_minute
(
    minute DateTime('UTC') COMMENT 'Start of the minute',
    law_id LowCardinality(String) COMMENT 'Law voted on',
    ballots UInt64 COMMENT 'Ballots accepted in that minute'
)
AS SELECT
    toStartOfMinute(toDateTime(timestamp, 'UTC')) AS minute,
    law_id,
    count() AS ballots
FROM scrutin.ballots FINAL
GROUP BY minute, law_id
COMMENT 'Accepted ballots by minute and law';
