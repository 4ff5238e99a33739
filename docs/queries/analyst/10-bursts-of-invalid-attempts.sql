-- Minutes with more than five times the invalid attempts of a usual one: somebody guesses cards.
WITH
    by_minute AS
    (
        SELECT
            minute,
            sum(attempts) AS invalid
        FROM scrutin.attempts_by_minute
        WHERE status = 'invalid'
        GROUP BY minute
    ),
    (SELECT quantileExact(0.5)(invalid) FROM by_minute) AS usual
SELECT
    minute,
    invalid,
    usual
FROM by_minute
WHERE invalid > 5 * usual
ORDER BY invalid DESC, minute
LIMIT 20
