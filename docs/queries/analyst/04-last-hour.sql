-- Ballots a minute in the hour up to the latest ballot; minutes without one are there with 0.
WITH assumeNotNull((SELECT max(minute) FROM scrutin.turnout_by_minute)) AS latest
SELECT
    minute,
    sum(ballots) AS total
FROM scrutin.turnout_by_minute
WHERE minute > latest - INTERVAL 1 HOUR
GROUP BY minute
ORDER BY minute WITH FILL FROM latest - INTERVAL 59 MINUTE TO latest + INTERVAL 1 MINUTE STEP 60
