SELECT DISTINCT
    shard, stream_ms, stream_seq, vote_hash, law_id, vote, request_id
FROM scrutin.ballots
WHERE shard BETWEEN {first:UInt8} AND {last:UInt8}
ORDER BY vote_hash, stream_ms, stream_seq
FORMAT TabSeparatedWithNames
