-- Of a law that the roll does not know an attempt keeps no name: a client that mixes up its fields
-- would send a NAS or a code there.
ALTER TABLE scrutin.attempts_by_minute
    COMMENT COLUMN law_id 'Law voted on; empty for invalid attempts on none of the roll''s';

ALTER TABLE scrutin.review_cases
    COMMENT COLUMN law_id 'Law voted on; empty for invalid attempts on none of the roll''s, and of patterns';
