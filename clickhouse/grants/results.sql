-- What was chosen, once it may be known: for analysts in total, for auditors ballot by ballot.
GRANT SELECT ON scrutin.vote_results TO analyst;

GRANT
    SELECT ON scrutin.vote_audit,
    SELECT ON scrutin.ballots,
    SELECT ON scrutin.vote_results,
    SELECT ON scrutin.review_queue
TO auditor;
