-- Rows as they lie there, repeated ones too, before a time, and from it to another; and who says so.
-- ClickHouse tells them from its indexes. A row may come between the two questions: it must not pass
-- for one that was there at the first, as it would if that were asked as the difference of two.
SELECT
    (SELECT count() FROM scrutin.vote_audit WHERE stream_ms < {from_ms:UInt64}),
    (
        SELECT count()
        FROM scrutin.vote_audit
        WHERE stream_ms >= {from_ms:UInt64} AND stream_ms < {until_ms:UInt64}
    ),
    hostName()
