-- Cases in the order of their ids, from after one of them.
SELECT
    case_id,
    kind,
    law_id,
    attempts,
    hashes,
    toUnixTimestamp64Milli(first_attempt),
    toUnixTimestamp64Milli(last_attempt)
FROM scrutin.review_cases
WHERE case_id > {after:String}
ORDER BY case_id
LIMIT {limit:UInt32}
