"""Everything that knows ClickHouse: tables, drainer, tally, local engine."""
