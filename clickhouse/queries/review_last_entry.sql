SELECT entry_ms, entry_seq
FROM scrutin.review_decisions
ORDER BY entry_ms DESC, entry_seq DESC
LIMIT 1
