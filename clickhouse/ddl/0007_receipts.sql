-- What a voter's receipt is looked up in: whether it was counted, and for which law.
--
-- Auditors have choices beside hashes after closing, so nothing here may lead to one row of those
-- tables: no request id, no hash, no event, no time. Attempts that do not count are left out: of a
-- law that has one duplicate, its receipt would be that row's. Rows come by number, for in the order
-- of the table their places would tell which is which; the limit, which lets all through, keeps
-- the engine from dropping that order, and from looking at a reader's conditions before it.
CREATE OR REPLACE VIEW scrutin.receipts
(
    number String COMMENT 'Number on the receipt: 16 lower-case hex digits, in fours',
    law_id LowCardinality(String) COMMENT 'Law voted on'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH lower(hex(substring(SHA256(toString(request_id)), 1, 8))) AS digits
SELECT
    concat(
        substring(digits, 1, 4), '-', substring(digits, 5, 4), '-',
        substring(digits, 9, 4), '-', substring(digits, 13, 4)) AS number,
    law_id
FROM scrutin.vote_audit FINAL
WHERE status = 'accepted'
ORDER BY number, law_id
LIMIT 9223372036854775807
COMMENT 'Receipts of accepted ballots';
