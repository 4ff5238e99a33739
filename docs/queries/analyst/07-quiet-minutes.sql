-- Minutes between the first and the last ballot in which none came: was the service away?
SELECT minute
FROM
(
    SELECT
        minute,
        sum(ballots) AS total
    FROM scrutin.turnout_by_minute
    GROUP BY minute
    ORDER BY minute WITH FILL STEP 60
)
WHERE total = 0
ORDER BY minute
