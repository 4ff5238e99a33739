SELECT shard, tupleElement(max((stream_ms, stream_seq)) AS last, 1), tupleElement(last, 2)
FROM
(
    SELECT shard, stream_ms, stream_seq FROM scrutin.vote_audit
    UNION ALL
    SELECT shard, stream_ms, stream_seq FROM scrutin.ballots
)
GROUP BY shard
