SELECT uniqExact(shard, stream_ms, stream_seq)
FROM scrutin.{table:Identifier}
WHERE shard BETWEEN {first:UInt8} AND {last:UInt8}
