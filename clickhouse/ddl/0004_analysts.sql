-- What analysts read: counts, never a ballot's hash beside its choice, and no choice by time, since
-- whoever knows when somebody voted would read it off a quiet minute. The analysts' role has these
-- views and not the tables, so they read with the rights of whoever made them.

CREATE OR REPLACE VIEW scrutin.vote_results
(
    law_id LowCardinality(String) COMMENT 'Law voted on',
    oui_count UInt64 COMMENT 'Accepted ballots for',
    non_count UInt64 COMMENT 'Accepted ballots against',
    updated_at DateTime64(3, 'UTC') COMMENT 'When the latest of them was accepted'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    law_id,
    countIf(vote = 'oui') AS oui_count,
    countIf(vote = 'non') AS non_count,
    max(timestamp) AS updated_at
FROM scrutin.ballots FINAL
GROUP BY law_id
COMMENT 'Tally of each law that has a ballot';

CREATE OR REPLACE VIEW scrutin.turnout_by_minute
(
    minute DateTime('UTC') COMMENT 'Start of the minute',
    law_id LowCardinality(String) COMMENT 'Law voted on',
    ballots UInt64 COMMENT 'Ballots accepted in that minute'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    toStartOfMinute(toDateTime(timestamp, 'UTC')) AS minute,
    law_id,
    count() AS ballots
FROM scrutin.ballots FINAL
GROUP BY minute, law_id
COMMENT 'Accepted ballots by minute and law';

CREATE OR REPLACE VIEW scrutin.attempts_by_minute
(
    minute DateTime('UTC') COMMENT 'Start of the minute',
    law_id LowCardinality(String) COMMENT 'Law voted on; of invalid attempts whatever was sent',
    status Enum8('accepted' = 1, 'duplicate' = 2, 'invalid' = 3) COMMENT 'What was decided',
    attempts UInt64 COMMENT 'Attempts decided so in that minute'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    toStartOfMinute(toDateTime(timestamp, 'UTC')) AS minute,
    law_id,
    status,
    count() AS attempts
FROM scrutin.vote_audit FINAL
GROUP BY minute, law_id, status
COMMENT 'Attempts to vote by minute, law and outcome';

CREATE OR REPLACE VIEW scrutin.duplicates_by_count
(
    law_id LowCardinality(String) COMMENT 'Law voted on',
    attempt_count UInt64 COMMENT 'Attempts after the accepted one',
    ballots UInt64 COMMENT 'Ballots with so many'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    law_id,
    attempt_count,
    count() AS ballots
FROM
(
    SELECT law_id, vote_hash, count() AS attempt_count
    FROM scrutin.vote_audit FINAL
    WHERE status = 'duplicate'
    GROUP BY law_id, vote_hash
)
GROUP BY law_id, attempt_count
COMMENT 'How many ballots somebody tried to cast again, and how often';
