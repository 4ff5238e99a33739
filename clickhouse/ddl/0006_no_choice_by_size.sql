-- Before the close nobody may tell what was chosen, not by the size of things either: compressed, a
-- column of choices is the smaller the further they are from even. Uncompressed it takes one byte a
-- row whatever was chosen. Parts written before keep their size until they are merged.
ALTER TABLE scrutin.vote_audit
    MODIFY COLUMN vote Enum8('oui' = 1, 'non' = 2) CODEC(NONE) COMMENT 'Choice made in this attempt';

ALTER TABLE scrutin.ballots
    MODIFY COLUMN vote Enum8('oui' = 1, 'non' = 2) CODEC(NONE) COMMENT 'Choice that counts';

-- Auditors have this view without its choices while votes are taken, and the table behind it
-- without them too, so it reads with the rights of whoever made it.
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
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    timestamp, status, law_id, vote_hash, vote, attempt, request_id, shard, stream_ms, stream_seq
FROM scrutin.vote_audit FINAL
WHERE status != 'accepted'
COMMENT 'Duplicate and invalid attempts, for manual audit';
