"""A referendum day in the tables, made by the engine itself: millions of rows in a minute or two.

Four of five attempts are accepted, three of twenty are duplicates, one of twenty is invalid; they
come in the order of time over 24 hours with two busy times, in batches as a drainer inserts them.
"""

from collections.abc import Iterator

from clickhouse_connect.driver import AsyncClient

BATCH_ROWS = 100_000
ACCEPTED_OF_TEN = 8
OPENS_MS = 1_791_172_800_000
_EVENTS = """
SELECT
    toUInt8(reinterpretAsUInt8(substring(hash, 1, 1))) AS shard,
    {opens_ms} + toUInt64(86400000 * (u + 0.04 * sin(4 * pi() * u))) + rand() % 4 AS stream_ms,
    0 AS stream_seq,
    lower(hex(hash)) AS vote_hash,
    concat('L2025-00', toString(1 + elector % 2)) AS law_id,
    if(elector % 3 = 0, 'non', 'oui') AS vote,
    if(number % 10 < {accepted}, 'accepted', if(is_again, 'duplicate', 'invalid')) AS status,
    generateUUIDv4() AS request_id,
    if(status = 'duplicate', 1, 0) AS attempt
FROM
(
    SELECT
        number,
        number % 10 = 8 OR number % 20 = 9 AS is_again,
        if(is_again, number - 8, number) AS elector,
        SHA256(toString(elector)) AS hash,
        number / {events} AS u
    FROM numbers({start}, {count})
)
"""
_BALLOT = "law_id, vote_hash, vote, request_id, shard, stream_ms, stream_seq"
_INTO_AUDIT = f"""
INSERT INTO scrutin.vote_audit ({_BALLOT}, status, attempt)
SELECT {_BALLOT}, status, attempt FROM ({{events}})
"""
_INTO_BALLOTS = f"""
INSERT INTO scrutin.ballots ({_BALLOT})
SELECT {_BALLOT} FROM ({{events}}) WHERE status = 'accepted'
"""


async def fill(client: AsyncClient, audit_rows: int) -> int:
    """Fill empty tables with so many attempts; return how many were accepted."""
    for statement in _statements(audit_rows):
        await client.command(statement)
    return audit_rows // 10 * ACCEPTED_OF_TEN + min(audit_rows % 10, ACCEPTED_OF_TEN)


def _statements(audit_rows: int) -> Iterator[str]:
    for start in range(0, audit_rows, BATCH_ROWS):
        events = _EVENTS.format(
            opens_ms=OPENS_MS,
            accepted=ACCEPTED_OF_TEN,
            events=audit_rows,
            start=start,
            count=min(BATCH_ROWS, audit_rows - start),
        )
        for insert in (_INTO_AUDIT, _INTO_BALLOTS):
            yield insert.format(events=events)
