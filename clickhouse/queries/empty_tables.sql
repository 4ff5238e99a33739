-- Ballots first: cut short, it leaves attempts without ballots, which is found, not the reverse.
TRUNCATE TABLE scrutin.ballots SYNC;
TRUNCATE TABLE scrutin.review_decisions SYNC;
TRUNCATE TABLE scrutin.review_networks SYNC;
TRUNCATE TABLE scrutin.vote_audit SYNC;
