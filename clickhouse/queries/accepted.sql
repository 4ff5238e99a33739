-- Attempts lie in the order of their times, so that few rows have to be compared to collapse them.
SELECT law_id, countIf(vote = 'oui'), countIf(vote = 'non')
FROM scrutin.vote_audit FINAL
WHERE status = 'accepted'
GROUP BY law_id
ORDER BY law_id
