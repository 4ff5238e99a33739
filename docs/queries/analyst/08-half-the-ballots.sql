-- By when a quarter, half and three quarters of the ballots of every law were in.
SELECT
    law_id,
    quantilesExactWeighted(0.25, 0.5, 0.75)(minute, ballots) AS quarter_half_three_quarters
FROM scrutin.turnout_by_minute
GROUP BY law_id
ORDER BY law_id
