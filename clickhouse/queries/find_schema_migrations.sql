SELECT name
FROM system.tables
WHERE database = 'scrutin' AND name = 'schema_migrations'
