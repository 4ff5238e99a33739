SELECT DISTINCT
    shard,
    stream_ms,
    stream_seq,
    toFixedString(unhex(vote_hash), 32) AS ballot_hash,
    toString(law_id) AS law,
    toString(vote) AS choice,
    UUIDStringToNum(toString(request_id)) AS request
FROM scrutin.ballots
WHERE shard BETWEEN {first:UInt8} AND {last:UInt8}
ORDER BY ballot_hash, stream_ms, stream_seq
