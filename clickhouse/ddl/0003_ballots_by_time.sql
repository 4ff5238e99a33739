-- Ballots lie in the order of their hashes, so those of one batch are everywhere. After an insert
-- they are looked up by their time, and with this only parts as new as they are get read.
ALTER TABLE scrutin.ballots
    ADD INDEX IF NOT EXISTS by_stream_ms stream_ms TYPE minmax GRANULARITY 1;
