-- Refused ballots come after closing too: those are not of the law's day, and not counted. `late`
-- is 0 unless a server's clock was set back: then events keep the later of the two times.
SELECT
    countIf(status = 'accepted') AS accepted,
    countIf(status = 'duplicate') AS duplicates,
    countIf(status = 'invalid' AND stream_ms < {closes_ms:UInt64}) AS invalid,
    countIf(status != 'invalid' AND stream_ms >= {closes_ms:UInt64}) AS late
FROM scrutin.vote_audit FINAL
WHERE law_id = {law_id:String}
