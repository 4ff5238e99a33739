CREATE TABLE IF NOT EXISTS scrutin.schema_migrations
(
    name String COMMENT 'File that was applied',
    checksum FixedString(64) COMMENT 'SHA-256 of the file, in hex',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was applied the latest time'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY name
COMMENT 'Migrations applied to this database. Read with FINAL'
