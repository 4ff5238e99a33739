-- What the tables take on disk, parts that are merged already left out.
SELECT toUInt64(sum(bytes_on_disk)) FROM system.parts WHERE database = 'scrutin' AND active
