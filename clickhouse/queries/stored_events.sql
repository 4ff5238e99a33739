SELECT DISTINCT shard, stream_ms, stream_seq
FROM scrutin.{table:Identifier}
WHERE stream_ms BETWEEN {first_ms:UInt64} AND {last_ms:UInt64}
    AND bitShiftLeft(stream_ms, 20) + stream_seq
        BETWEEN {firsts:Array(UInt64)}[shard + 1] AND {lasts:Array(UInt64)}[shard + 1]
