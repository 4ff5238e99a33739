-- Duplicates for a hundred accepted ballots, by the hour, as clocks in Ottawa show it.
SELECT
    toStartOfHour(minute, 'America/Toronto') AS hour,
    sumIf(attempts, status = 'duplicate') AS duplicates,
    sumIf(attempts, status = 'accepted') AS accepted,
    if(accepted = 0, NULL, round(100 * duplicates / accepted, 2)) AS percent
FROM scrutin.attempts_by_minute
GROUP BY hour
ORDER BY hour
