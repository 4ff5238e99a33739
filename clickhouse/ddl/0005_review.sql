-- The review queue: cases computed from attempts, never with a choice; and what was decided of
-- them, which Redis decides and drainers copy here.

-- Rows of one entry are equal however often it is copied. Nothing ever removes one.
CREATE TABLE IF NOT EXISTS scrutin.review_decisions
(
    entry_ms UInt64 COMMENT 'When it was done, ms since 1970 by the clock of Redis',
    entry_seq UInt32 COMMENT 'Orders entries of the same ms; with entry_ms the entry id',
    at DateTime64(3, 'UTC') DEFAULT fromUnixTimestamp64Milli(toInt64(entry_ms), 'UTC')
        COMMENT 'entry_ms as a time',
    case_id String COMMENT 'The case, as review_cases names it',
    action Enum8('claim' = 1, 'resolve' = 2, 'reopen' = 3) COMMENT 'What was done',
    auditor String COMMENT 'Who did it',
    decision LowCardinality(String) COMMENT 'harmless, suspect or fault; empty unless resolved',
    why String COMMENT 'The reason given; empty of a claim',
    attempts UInt64 COMMENT 'Attempts of the case that the auditor saw',
    act_id UUID COMMENT 'Names the call, whichever times it was sent'
)
ENGINE = ReplacingMergeTree
ORDER BY (entry_ms, entry_seq)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1
COMMENT 'Who decided what about which case of the review queue, when and why. Read with FINAL';

-- Of one network and hour the row with the highest counts is kept: they only grow.
CREATE TABLE IF NOT EXISTS scrutin.review_networks
(
    hour DateTime('UTC') COMMENT 'Start of the hour',
    network String COMMENT 'Tag of a network, made with a secret that is gone after its day',
    duplicates UInt64 COMMENT 'Duplicate attempts answered to that network in that hour',
    invalid UInt64 COMMENT 'Invalid attempts answered to that network in that hour',
    refused UInt64 COMMENT 'Both together'
)
ENGINE = ReplacingMergeTree(refused)
ORDER BY (hour, network)
COMMENT 'Networks with many refused attempts in an hour; beside no hash and no law. Read with FINAL';

CREATE OR REPLACE VIEW scrutin.review_cases
(
    case_id String COMMENT 'The ballot hash, or unknown-<hour>, or network-<tag>-<hour>',
    kind String COMMENT 'duplicate, invalid, many-attempts, unknown-hashes or network-burst',
    law_id String COMMENT 'Law voted on; of invalid attempts whatever was sent; empty of patterns',
    attempts UInt64 COMMENT 'Duplicate and invalid attempts of the case',
    hashes UInt64 COMMENT 'Different ballot hashes tried; 0 where hashes are not known',
    first_attempt DateTime64(3, 'UTC') COMMENT 'The earliest of them',
    last_attempt DateTime64(3, 'UTC') COMMENT 'The latest of them, of a network the end of its hour',
    state String COMMENT 'open, resolved, or grown: resolved, and more attempts came since',
    decision String COMMENT 'What was decided last, empty for nothing',
    decided_by String COMMENT 'Who decided it',
    decided_at DateTime64(3, 'UTC') COMMENT 'When, 1970 for never',
    why String COMMENT 'Why'
)
AS SELECT
    cases.case_id AS case_id,
    cases.kind AS kind,
    cases.law_id AS law_id,
    cases.attempts AS attempts,
    cases.hashes AS hashes,
    cases.first_attempt AS first_attempt,
    cases.last_attempt AS last_attempt,
    multiIf(
        decided.last_action != 'resolve', 'open',
        cases.attempts > decided.decided_attempts, 'grown',
        'resolved') AS state,
    decided.decision AS decision,
    decided.decided_by AS decided_by,
    decided.decided_at AS decided_at,
    decided.why AS why
FROM
(
    SELECT
        vote_hash AS case_id,
        if(count() >= 5, 'many-attempts', toString(any(status))) AS kind,
        toString(any(law_id)) AS law_id,
        count() AS attempts,
        toUInt64(1) AS hashes,
        min(timestamp) AS first_attempt,
        max(timestamp) AS last_attempt
    FROM scrutin.vote_audit FINAL
    WHERE status != 'accepted'
    GROUP BY vote_hash
    UNION ALL
    SELECT
        concat('unknown-', formatDateTime(toStartOfHour(minute), '%Y%m%dT%HZ', 'UTC')) AS case_id,
        'unknown-hashes' AS kind,
        '' AS law_id,
        sum(minute_attempts) AS attempts,
        sum(minute_hashes) AS hashes,
        min(minute_first) AS first_attempt,
        max(minute_last) AS last_attempt
    FROM
    (
        SELECT
            toStartOfMinute(toDateTime(timestamp, 'UTC')) AS minute,
            count() AS minute_attempts,
            uniqExact(vote_hash) AS minute_hashes,
            min(timestamp) AS minute_first,
            max(timestamp) AS minute_last
        FROM scrutin.vote_audit FINAL
        WHERE status = 'invalid'
        GROUP BY minute
        HAVING minute_hashes >= 30
    )
    GROUP BY toStartOfHour(minute)
    UNION ALL
    SELECT
        concat('network-', network, '-', formatDateTime(hour, '%Y%m%dT%HZ', 'UTC')) AS case_id,
        'network-burst' AS kind,
        '' AS law_id,
        refused AS attempts,
        toUInt64(0) AS hashes,
        toDateTime64(hour, 3, 'UTC') AS first_attempt,
        toDateTime64(hour, 3, 'UTC') + INTERVAL 1 HOUR AS last_attempt
    FROM scrutin.review_networks FINAL
    WHERE refused >= 30
) AS cases
LEFT JOIN
(
    SELECT
        case_id,
        argMax(toString(action), (entry_ms, entry_seq)) AS last_action,
        argMaxIf(attempts, (entry_ms, entry_seq), action = 'resolve') AS decided_attempts,
        argMaxIf(toString(decision), (entry_ms, entry_seq), action = 'resolve') AS decision,
        argMaxIf(auditor, (entry_ms, entry_seq), action = 'resolve') AS decided_by,
        argMaxIf(why, (entry_ms, entry_seq), action = 'resolve') AS why,
        maxIf(at, action = 'resolve') AS decided_at
    FROM scrutin.review_decisions FINAL
    GROUP BY case_id
) AS decided ON cases.case_id = decided.case_id
COMMENT 'Duplicate and invalid attempts by hash, and their patterns, as cases for auditors';
