-- What was chosen, once it may be known: for analysts in total, for auditors ballot by ballot.
GRANT SELECT ON scrutin.vote_results TO analyst;

-- Never a request id: its receipt would tell whoever is shown it how the voter voted. Receipts come
-- no sooner than choices, since whoever watched them come would know which attempt each belongs to.
GRANT
    SELECT(vote) ON scrutin.vote_audit,
    SELECT(vote) ON scrutin.ballots,
    SELECT(vote) ON scrutin.review_queue,
    SELECT ON scrutin.vote_results,
    SELECT ON scrutin.receipts
TO auditor;
