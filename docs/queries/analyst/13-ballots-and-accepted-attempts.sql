-- Laws whose ballots are not as many as their accepted attempts: none, unless votes were lost or are on
-- their way. `scrutin verify` tells which.
SELECT
    law_id,
    sum(of_attempts) AS accepted_attempts,
    sum(of_ballots) AS ballots
FROM
(
    SELECT law_id, attempts AS of_attempts, 0 AS of_ballots
    FROM scrutin.attempts_by_minute
    WHERE status = 'accepted'
    UNION ALL
    SELECT law_id, 0, ballots
    FROM scrutin.turnout_by_minute
)
GROUP BY law_id
HAVING accepted_attempts != ballots
ORDER BY law_id
