-- Rows as they lie there, repeated ones too, before a time and from it to another. ClickHouse tells
-- them from its indexes. Between the two questions rows may come: neither may answer for the other.
SELECT
    (SELECT count() FROM scrutin.vote_audit WHERE stream_ms < {from_ms:UInt64}),
    (
        SELECT count()
        FROM scrutin.vote_audit
        WHERE stream_ms >= {from_ms:UInt64} AND stream_ms < {until_ms:UInt64}
    )
