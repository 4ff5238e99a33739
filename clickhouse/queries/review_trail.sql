SELECT entry_ms, entry_seq, case_id, action, auditor, decision, why, attempts, act_id
FROM scrutin.review_decisions FINAL
WHERE (entry_ms, entry_seq) > ({after_ms:UInt64}, {after_seq:UInt32})
ORDER BY entry_ms, entry_seq
LIMIT {limit:UInt32}
