-- What was chosen: for analysts once it may be known.
GRANT SELECT ON scrutin.vote_results TO analyst;
