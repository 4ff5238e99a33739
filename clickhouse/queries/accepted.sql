-- Of each law: oui and non before one time, all of both from another time on, the newest; who says so.
-- Attempts lie in the order of their times, so that few rows have to be compared to collapse them.
SELECT
    law_id,
    countIf(vote = 'oui' AND stream_ms < {until_ms:UInt64}),
    countIf(vote = 'non' AND stream_ms < {until_ms:UInt64}),
    countIf(vote = 'oui'),
    countIf(vote = 'non'),
    max(stream_ms),
    hostName()
FROM scrutin.vote_audit FINAL
WHERE status = 'accepted' AND stream_ms >= {from_ms:UInt64}
GROUP BY law_id
ORDER BY law_id
