-- The review queue in numbers: cases and their attempts, by kind and by what was decided.
SELECT
    kind,
    state,
    count() AS cases,
    sum(attempts) AS attempts
FROM scrutin.review_cases
GROUP BY kind, state
ORDER BY kind, state
