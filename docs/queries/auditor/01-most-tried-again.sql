-- The twenty ballots that were tried again most often.
SELECT
    vote_hash,
    attempt_count,
    first_attempt,
    last_attempt
FROM scrutin.duplicate_attempts
ORDER BY attempt_count DESC, vote_hash
LIMIT 20
