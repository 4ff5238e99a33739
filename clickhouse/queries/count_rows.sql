SELECT
    (SELECT count() FROM scrutin.vote_audit) AS vote_audit,
    (SELECT count() FROM scrutin.ballots) AS ballots
