-- Ballots of every law up to the end of each quarter of an hour.
SELECT
    law_id,
    toStartOfInterval(minute, INTERVAL 15 MINUTE) AS quarter,
    sum(sum(ballots)) OVER (PARTITION BY law_id ORDER BY quarter) AS so_far
FROM scrutin.turnout_by_minute
GROUP BY law_id, quarter
ORDER BY law_id, quarter
