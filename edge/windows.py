"""When votes are taken: Redis decides, and what an edge says has to follow."""

from collections.abc import Mapping

import msgspec

from shards.election import Election, Law
from shards.status import Window


def decided_by(windows: Mapping[str, Window], election: Election) -> Election:
    """Return the election with the windows that the shards have, in its own time zones.

    A law that they know nothing of keeps the election's window.
    """
    laws = [_with(law, windows.get(law.id)) for law in election.laws]
    return msgspec.structs.replace(election, laws=laws)


def changed(before: Election, after: Election) -> list[tuple[Law, Law]]:
    """Return the laws whose windows are not the same in two elections, each in both."""
    return [
        (old, new) for old, new in zip(before.laws, after.laws, strict=True) if not _agree(old, new)
    ]


def window_of(law: Law) -> str:
    """Return a law's window for a log."""
    return f"{law.opens_at.isoformat()} to {law.closes_at.isoformat()}"


def _with(law: Law, window: Window | None) -> Law:
    if window is None:
        return law
    return msgspec.structs.replace(
        law,
        opens_at=window.opens_at.astimezone(law.opens_at.tzinfo),
        closes_at=window.closes_at.astimezone(law.closes_at.tzinfo),
    )


def _agree(one: Law, other: Law) -> bool:
    """Compare to the millisecond, which is what the shards keep."""
    return (one.opens_at_ms, one.closes_at_ms) == (other.opens_at_ms, other.closes_at_ms)
