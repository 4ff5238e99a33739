-- Ballots of every law, and between which minutes they came.
SELECT
    law_id,
    sum(ballots) AS total,
    min(minute) AS first_minute,
    max(minute) AS last_minute
FROM scrutin.turnout_by_minute
GROUP BY law_id
ORDER BY law_id
