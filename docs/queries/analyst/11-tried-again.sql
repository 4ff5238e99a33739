-- How many ballots somebody tried to cast again once, twice, and so on.
SELECT
    attempt_count,
    sum(ballots) AS total
FROM scrutin.duplicates_by_count
GROUP BY attempt_count
ORDER BY attempt_count
