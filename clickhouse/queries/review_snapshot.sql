-- What auditors see first: of each kind the undecided cases with the most attempts.
SELECT
    case_id,
    kind,
    law_id,
    attempts,
    hashes,
    toUnixTimestamp64Milli(first_attempt),
    toUnixTimestamp64Milli(last_attempt)
FROM scrutin.review_cases
WHERE state != 'resolved'
ORDER BY attempts DESC, last_attempt DESC, case_id
LIMIT {limit:UInt32} BY kind
