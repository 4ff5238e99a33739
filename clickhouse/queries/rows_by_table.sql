-- Rows as stored, those stored twice counted twice, of every table that a vote or an auditor fills.
SELECT 'ballots' AS held, count() AS stored FROM scrutin.ballots
UNION ALL SELECT 'review_decisions', count() FROM scrutin.review_decisions
UNION ALL SELECT 'review_networks', count() FROM scrutin.review_networks
UNION ALL SELECT 'vote_audit', count() FROM scrutin.vote_audit
