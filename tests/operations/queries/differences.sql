-- Whatever the client's log and the tables do not say alike, with the request at fault.
--
-- A stranger's attempt may stand in the audit twice when it had to be sent twice, as nothing is kept
-- of strangers; hence attempts are compared, not their number.
WITH
    ballots AS (SELECT vote_hash, request_id, toString(vote) AS vote FROM scrutin.ballots FINAL),
    audit AS
    (
        SELECT vote_hash, request_id, toString(vote) AS vote, toString(status) AS status, attempt
        FROM scrutin.vote_audit FINAL
    ),
    answers AS
    (
        SELECT vote_hash, request_id, toString(vote) AS vote, toString(status) AS status, attempt
        FROM operations.answers
    )
SELECT difference, request_id
FROM
(
    SELECT 'answered accepted, not the ballot' AS difference, request_id
    FROM answers
    LEFT ANTI JOIN ballots USING (vote_hash, request_id, vote)
    WHERE status = 'accepted'
    UNION ALL
    SELECT 'answered, not in vote_audit', request_id
    FROM answers
    LEFT ANTI JOIN audit USING (vote_hash, request_id, vote, status, attempt)
    WHERE status != 'unanswered'
    UNION ALL
    SELECT 'a ballot that was not answered accepted', request_id
    FROM ballots
    LEFT ANTI JOIN (SELECT * FROM answers WHERE status IN ('accepted', 'unanswered')) AS cast
    USING (vote_hash, request_id, vote)
    UNION ALL
    SELECT 'in vote_audit, sent by nobody', request_id
    FROM audit
    LEFT ANTI JOIN answers USING (vote_hash, request_id, vote)
    UNION ALL
    SELECT 'accepted twice', any(request_id)
    FROM answers
    WHERE status = 'accepted'
    GROUP BY vote_hash
    HAVING count() > 1
)
ORDER BY difference, request_id
LIMIT 20
