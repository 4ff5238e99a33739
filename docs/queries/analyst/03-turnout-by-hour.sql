-- Ballots by the hour, as clocks in Ottawa show it.
SELECT
    toStartOfHour(minute, 'America/Toronto') AS hour,
    sum(ballots) AS total
FROM scrutin.turnout_by_minute
GROUP BY hour
ORDER BY hour
