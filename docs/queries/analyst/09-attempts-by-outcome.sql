-- What was decided of all attempts, and its share.
SELECT
    status,
    sum(attempts) AS total,
    round(100 * total / sum(total) OVER (), 2) AS percent
FROM scrutin.attempts_by_minute
GROUP BY status
ORDER BY status
