SELECT DISTINCT law_id, vote_hash
FROM scrutin.vote_audit
WHERE status = 'accepted'
    AND shard BETWEEN {first:UInt8} AND {last:UInt8}
    AND (law_id, vote_hash) NOT IN
    (
        SELECT law_id, vote_hash
        FROM scrutin.ballots
        WHERE shard BETWEEN {first:UInt8} AND {last:UInt8}
    )
