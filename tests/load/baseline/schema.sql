CREATE TABLE vote_results (
    law_id VARCHAR(50) PRIMARY KEY,
    oui_count BIGINT DEFAULT 0,
    non_count BIGINT DEFAULT 0,
    updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE vote_audit (
    id BIGSERIAL PRIMARY KEY,
    vote_hash VARCHAR(64) NOT NULL,
    law_id VARCHAR(50) NOT NULL,
    vote VARCHAR(3) NOT NULL,
    status VARCHAR(20) NOT NULL,
    timestamp TIMESTAMP DEFAULT NOW()
);
CREATE INDEX idx_hash ON vote_audit (vote_hash);
CREATE INDEX idx_law_timestamp ON vote_audit (law_id, timestamp);

CREATE TABLE duplicate_attempts (
    vote_hash VARCHAR(64) PRIMARY KEY,
    attempt_count INT DEFAULT 1,
    first_attempt TIMESTAMP DEFAULT NOW(),
    last_attempt TIMESTAMP DEFAULT NOW()
);
