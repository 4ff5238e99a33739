SELECT count()
FROM
(
    SELECT shard, vote_hash FROM scrutin.vote_audit
    UNION ALL
    SELECT shard, vote_hash FROM scrutin.ballots
)
WHERE NOT match(vote_hash, '^[0-9a-f]{64}$') OR lower(hex(shard)) != substring(vote_hash, 1, 2)
