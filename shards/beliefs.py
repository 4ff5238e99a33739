"""What each primary believes of the election: its clock, the roll, the windows of the laws.

A vote is decided by the primary of its slot alone, so that what counts is what each of them says.
"""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.connection import Reply
from shards.errors import RollMissing
from shards.roll import RollInfo

LawState = Literal["no window", "waiting", "open", "closed", "frozen"]
SKEW_MS_MAX = 1000


class LawBelief(msgspec.Struct, frozen=True):
    """A law as shards of one node have it, at the node's own time; `shards` of them say so."""

    law_id: str
    opens_at_ms: int | None
    closes_at_ms: int | None
    state: LawState
    shards: int


class NodeBelief(msgspec.Struct, frozen=True):
    """A primary: its clock, how far that is ahead of ours (ms), and what its shards hold.

    Of rolls and laws there is more than one entry where its shards do not agree.
    """

    node: str
    clock_ms: int
    ahead_ms: int
    shards: int
    rolls: dict[str, int]
    laws: list[LawBelief]


class ElectionStatus(msgspec.Struct, frozen=True):
    """What the primaries say. `faults`: where they disagree, or lack something; empty is good."""

    info: RollInfo
    nodes: list[NodeBelief]
    skew_ms: int
    faults: list[str]

    def laws(self, law_id: str) -> list[LawBelief]:
        """Return what all nodes say of a law."""
        return [law for node in self.nodes for law in node.laws if law.law_id == law_id]


class _Shard(msgspec.Struct, frozen=True):
    roll_id: str
    scheme: str
    windows: list[tuple[int | None, int | None, bool]]


async def read_beliefs(client: ShardClient, skew_ms_max: int = SKEW_MS_MAX) -> ElectionStatus:
    """Ask every primary; raises `RollMissing` when none has a roll, `Unavailable`.

    `skew_ms_max`: by how much clocks may differ before that is a fault.
    """
    await client.refresh()
    infos = await client.call_reachable(
        (shard, pack("HGET", keys.meta_key(shard), "info")) for shard in range(keys.SHARDS)
    )
    held = [info for info in infos.values() if info is not None]
    if not held:
        raise RollMissing("no roll is loaded; run `scrutin roll load`")
    known = [msgspec.json.decode(info, type=RollInfo) for info in set(held)]
    law_ids = sorted({law_id for info in known for law_id in info.laws})
    shards = await _read_shards(client, law_ids)
    nodes = await _read_nodes(client, law_ids, shards)
    ahead = [node.ahead_ms for node in nodes]
    skew_ms = max(ahead) - min(ahead)
    faults = _faults(nodes, law_ids, len(shards))
    if len(known) > 1:
        faults.append("the shards do not agree on the roll")
    if skew_ms > skew_ms_max:
        faults.append(f"the clocks differ by {skew_ms} ms, more than {skew_ms_max}")
    return ElectionStatus(known[0], nodes, skew_ms, faults)


async def _read_shards(client: ShardClient, law_ids: Sequence[str]) -> dict[int, _Shard]:
    fields = [f"{what}:{law_id}" for law_id in law_ids for what in ("opens", "closes", "frozen")]
    replies = await client.call_reachable(
        (shard, pack("HMGET", keys.meta_key(shard), "ready", "info", *fields))
        for shard in range(keys.SHARDS)
    )
    return {shard: _shard(reply) for shard, reply in replies.items()}


def _shard(reply: Reply) -> _Shard:
    ready, info, *fields = reply
    scheme = "none"
    if info is not None:
        read = msgspec.json.decode(info, type=RollInfo)
        scheme = f"{read.scheme} {read.key_fingerprint}".rstrip()
    windows = [
        (_number(fields[place]), _number(fields[place + 1]), fields[place + 2] is not None)
        for place in range(0, len(fields), 3)
    ]
    return _Shard(ready.decode() if ready else "not ready", scheme, windows)


async def _read_nodes(
    client: ShardClient, law_ids: Sequence[str], shards: dict[int, _Shard]
) -> list[NodeBelief]:
    by_node: dict[str, list[int]] = {}
    for shard, node in enumerate(client.routes()):
        if node is not None and shard in shards:
            by_node.setdefault(node, []).append(shard)
    nodes = []
    for node, numbers in sorted(by_node.items()):
        asked_ms = time.time() * 1000
        seconds, microseconds = await client.call(numbers[0], pack("TIME"))
        middle_ms = (asked_ms + time.time() * 1000) / 2
        clock_ms = int(seconds) * 1000 + int(microseconds) // 1000
        rolls = Counter(f"{shards[n].roll_id} {shards[n].scheme}" for n in numbers)
        windows = Counter(
            (law_id, *shards[number].windows[place])
            for number in numbers
            for place, law_id in enumerate(law_ids)
        )
        laws = [
            LawBelief(law_id, opens, closes, state_at(clock_ms, opens, closes, frozen), count)
            for (law_id, opens, closes, frozen), count in windows.items()
        ]
        ahead_ms = round(clock_ms - middle_ms)
        nodes.append(NodeBelief(node, clock_ms, ahead_ms, len(numbers), dict(rolls), laws))
    return nodes


def state_at(clock_ms: int, opens_ms: int | None, closes_ms: int | None, frozen: bool) -> LawState:
    """Return what a shard makes of a law at its time, as `lua/cast.lua` decides it."""
    if opens_ms is None or closes_ms is None:
        return "no window"
    if frozen:
        return "frozen"
    if clock_ms < opens_ms:
        return "waiting"
    return "open" if clock_ms < closes_ms else "closed"


def _faults(nodes: Sequence[NodeBelief], law_ids: Sequence[str], answering: int) -> list[str]:
    faults = []
    if answering < keys.SHARDS:
        faults.append(f"{keys.SHARDS - answering} of {keys.SHARDS} shards do not answer")
    if len({roll for node in nodes for roll in node.rolls}) > 1:
        faults.append("the shards do not agree on the roll, or not all of them are ready")
    for law_id in law_ids:
        said = [law for node in nodes for law in node.laws if law.law_id == law_id]
        if lacking := sum(law.shards for law in said if law.state == "no window"):
            faults.append(f"{lacking} shards have no window for law {law_id}")
        if len({(law.opens_at_ms, law.closes_at_ms) for law in said}) > 1:
            faults.append(f"the shards do not agree on the window of law {law_id}")
        # one that is frozen in part is being closed, or closing it was interrupted
        states = sorted({"closed" if law.state == "frozen" else law.state for law in said})
        if len(states) > 1:
            faults.append(f"law {law_id} is not the same everywhere: {', '.join(states)}")
    return faults


def moment(ms: int | None) -> str:
    """Return a time in ms since the epoch for reading and for records: UTC, ISO 8601."""
    if ms is None:
        return "-"
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)
