SELECT DISTINCT law_id, vote_hash
FROM scrutin.ballots
WHERE (law_id, vote_hash) IN {ballots:Array(Tuple(String, String))}
