-- The ten minutes with the most ballots, and how many a second that is.
SELECT
    minute,
    sum(ballots) AS total,
    round(total / 60, 1) AS per_second
FROM scrutin.turnout_by_minute
GROUP BY minute
ORDER BY total DESC, minute
LIMIT 10
