-- By how much ballots outnumber accepted attempts, of what was decided before a time.
SELECT law_id, sum(oui), sum(non)
FROM
(
    SELECT law_id, toInt64(countIf(vote = 'oui')) AS oui, toInt64(countIf(vote = 'non')) AS non
    FROM scrutin.ballots FINAL
    WHERE stream_ms < {until_ms:UInt64}
    GROUP BY law_id
    UNION ALL
    SELECT law_id, -toInt64(countIf(vote = 'oui')), -toInt64(countIf(vote = 'non'))
    FROM scrutin.vote_audit FINAL
    WHERE status = 'accepted' AND stream_ms < {until_ms:UInt64}
    GROUP BY law_id
)
GROUP BY law_id
HAVING sum(oui) != 0 OR sum(non) != 0
ORDER BY law_id
