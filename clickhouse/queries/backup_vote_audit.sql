SELECT DISTINCT
    shard, stream_ms, stream_seq, vote_hash, law_id, vote, status, request_id, attempt
FROM scrutin.vote_audit
WHERE shard BETWEEN {first:UInt8} AND {last:UInt8}
ORDER BY vote_hash, stream_ms, stream_seq
FORMAT TabSeparatedWithNames
