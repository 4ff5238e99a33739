-- What was decided: every attempt, and the ballots that count.
--
-- Every statement may be run again: two programs may migrate at once.
--
-- An event (one attempt) is named by its shard and its id in the shard's outbox stream. The same
-- event may be inserted many times; rows of one event are equal, and the table keeps one of them.
-- Rows collapse only inside a partition, so the partition is computed from the event's name alone,
-- and so is `timestamp`.
CREATE TABLE IF NOT EXISTS scrutin.vote_audit
(
    shard UInt8 COMMENT 'First byte of the ballot hash; with stream_ms and stream_seq the event id',
    stream_ms UInt64 COMMENT 'When the attempt was decided, ms since 1970 by the clock of the shard',
    stream_seq UInt32 COMMENT 'Orders the attempts of one shard decided in the same ms',
    vote_hash String COMMENT 'Ballot hash, 64 lower-case hex digits' CODEC(ZSTD(1)),
    law_id LowCardinality(String) COMMENT 'Law voted on',
    vote Enum8('oui' = 1, 'non' = 2) COMMENT 'Choice made in this attempt',
    status Enum8('accepted' = 1, 'duplicate' = 2, 'invalid' = 3) COMMENT 'What was decided',
    timestamp DateTime64(3, 'UTC') DEFAULT fromUnixTimestamp64Milli(toInt64(stream_ms), 'UTC')
        COMMENT 'stream_ms as a time',
    request_id UUID COMMENT 'Names the request, whichever times it was sent' CODEC(NONE),
    attempt UInt32 COMMENT 'n for the n-th duplicate of a ballot, else 0',
    INDEX by_vote_hash vote_hash TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_timestamp timestamp TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(fromUnixTimestamp64Milli(toInt64(stream_ms), 'UTC'))
ORDER BY (stream_ms, shard, stream_seq)
-- The window is in inserted blocks: an insert sent again within it is not even written. Synced
-- before an insert is confirmed, and after a merge: a confirmed row survives a power cut.
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1
COMMENT 'Every attempt to vote, whatever became of it. Read with FINAL';

-- Keyed by ballot, so that a ballot counts once even if two events had accepted it. The engine
-- keeps the row of the highest version, which here is the earliest event: the first one counts.
CREATE TABLE IF NOT EXISTS scrutin.ballots
(
    law_id LowCardinality(String) COMMENT 'Law voted on',
    vote_hash String COMMENT 'Ballot hash, 64 lower-case hex digits' CODEC(ZSTD(1)),
    vote Enum8('oui' = 1, 'non' = 2) COMMENT 'Choice that counts',
    timestamp DateTime64(3, 'UTC') DEFAULT fromUnixTimestamp64Milli(toInt64(stream_ms), 'UTC')
        COMMENT 'When the ballot was accepted, from stream_ms',
    request_id UUID COMMENT 'Names the request, whichever times it was sent' CODEC(NONE),
    shard UInt8 COMMENT 'First byte of the ballot hash; with stream_ms and stream_seq the event id',
    stream_ms UInt64 COMMENT 'When the ballot was accepted, ms since 1970 by the clock of the shard',
    stream_seq UInt32 COMMENT 'Orders the attempts of one shard decided in the same ms',
    earliness UInt64 DEFAULT bitNot(bitShiftLeft(stream_ms, 20) + stream_seq)
        COMMENT 'Higher for earlier events: of two rows of one ballot the higher is kept'
)
ENGINE = ReplacingMergeTree(earliness)
ORDER BY (law_id, vote_hash)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1
COMMENT 'Accepted ballots, one a hash and law. Read with FINAL';
