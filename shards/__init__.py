"""Everything that knows Redis: keys, script, client, roll, outbox."""
