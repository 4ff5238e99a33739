-- Ballots a minute in the hour up to the latest ballot; minutes without one are there with 0.
WITH assumeNotNull((SELECT max(minute) FROM scrutin.turnout_by_minute)) AS latest
SELECT
    minute,
    sum(ballots) AS total
FROM
(
    SELECT minute, ballots
    FROM scrutin.turnout_by_minute
    WHERE minute > latest - INTERVAL 1 HOUR
    UNION ALL
    SELECT latest - INTERVAL arrayJoin(range(60)) MINUTE, 0
    WHERE toUnixTimestamp(latest) > 0
)
GROUP BY minute
ORDER BY minute
