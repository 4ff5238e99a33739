-- The cases that an auditor asks for; an empty filter lets all through.
SELECT
    case_id,
    kind,
    law_id,
    attempts,
    hashes,
    toUnixTimestamp64Milli(first_attempt),
    toUnixTimestamp64Milli(last_attempt)
FROM scrutin.review_cases
WHERE ({kind:String} = '' OR kind = {kind:String})
    AND ({law_id:String} = '' OR law_id = {law_id:String})
    AND ({case_id:String} = '' OR case_id = {case_id:String})
    AND ({decided:String} = '' OR (state = 'resolved') = ({decided:String} = 'yes'))
ORDER BY attempts DESC, last_attempt DESC, case_id
LIMIT {limit:UInt32}
