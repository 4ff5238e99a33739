SELECT
    (SELECT count() FROM scrutin.vote_audit FINAL) AS audit_events,
    (SELECT count() FROM scrutin.duplicate_attempts) AS electors_again,
    (SELECT sum(attempt_count) FROM scrutin.duplicate_attempts) AS attempts
