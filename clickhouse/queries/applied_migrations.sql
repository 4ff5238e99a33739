SELECT name, checksum
FROM scrutin.schema_migrations FINAL
