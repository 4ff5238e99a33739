-- Who may do what: each role what its work needs, and nothing else. May be run again: a grant with
-- REPLACE OPTION also takes away what an earlier release had given.

CREATE ROLE IF NOT EXISTS analyst, auditor, drainer, backup, verifier;

-- Counts, from views that no hash and no request id comes out of.
GRANT
    SELECT ON scrutin.turnout_by_minute,
    SELECT ON scrutin.attempts_by_minute,
    SELECT ON scrutin.duplicates_by_count
TO analyst WITH REPLACE OPTION;

-- Every attempt and every ballot, but what was chosen, which comes with `results.sql` after closing,
-- and the request ids, by which whoever has a card or a receipt would know it: they never come.
GRANT
    SELECT(
        shard, stream_ms, stream_seq, vote_hash, law_id, status, timestamp, attempt
    ) ON scrutin.vote_audit,
    SELECT(
        law_id, vote_hash, timestamp, shard, stream_ms, stream_seq, earliness
    ) ON scrutin.ballots,
    SELECT(
        timestamp, status, law_id, vote_hash, attempt, shard, stream_ms, stream_seq
    ) ON scrutin.review_queue,
    SELECT ON scrutin.schema_migrations,
    SELECT ON scrutin.duplicate_attempts,
    SELECT ON scrutin.review_cases,
    SELECT ON scrutin.review_decisions,
    SELECT ON scrutin.review_networks,
    SELECT ON scrutin.turnout_by_minute,
    SELECT ON scrutin.attempts_by_minute,
    SELECT ON scrutin.duplicates_by_count
TO auditor WITH REPLACE OPTION;

-- `scrutin verify`, which compares choices and prints none: for the program that runs it, not for
-- people.
GRANT
    SELECT ON scrutin.vote_audit,
    SELECT ON scrutin.ballots,
    SELECT ON scrutin.vote_results,
    SELECT ON scrutin.duplicate_attempts
TO verifier WITH REPLACE OPTION;

-- Inserts, and reads back what it inserted. It can neither change nor remove a row, and finds a
-- schema that somebody else has brought up to its release. It publishes the cases for review.
GRANT
    SELECT, INSERT ON scrutin.vote_audit,
    SELECT, INSERT ON scrutin.ballots,
    SELECT, INSERT ON scrutin.review_decisions,
    SELECT, INSERT ON scrutin.review_networks,
    SELECT ON scrutin.review_cases,
    SELECT ON scrutin.schema_migrations
TO drainer WITH REPLACE OPTION;

-- `scrutin backup`. Restoring is the work of whoever may change the schema.
GRANT
    SELECT ON scrutin.vote_audit,
    SELECT ON scrutin.ballots
TO backup WITH REPLACE OPTION;
