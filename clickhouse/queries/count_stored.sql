WITH
    {firsts:Array(UInt64)} AS firsts,
    {lasts:Array(UInt64)} AS lasts
SELECT
    (
        SELECT uniqExact(shard, stream_ms, stream_seq)
        FROM scrutin.vote_audit
        WHERE stream_ms BETWEEN {first_ms:UInt64} AND {last_ms:UInt64}
            AND bitShiftLeft(stream_ms, 20) + stream_seq BETWEEN firsts[shard + 1] AND lasts[shard + 1]
    ),
    (
        SELECT uniqExact(shard, stream_ms, stream_seq)
        FROM scrutin.ballots
        WHERE stream_ms BETWEEN {first_ms:UInt64} AND {last_ms:UInt64}
            AND bitShiftLeft(stream_ms, 20) + stream_seq BETWEEN firsts[shard + 1] AND lasts[shard + 1]
    )
