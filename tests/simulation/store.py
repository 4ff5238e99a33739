"""A node's keys, and the commands on them that our code uses.

A write makes an *effect*, a tuple that does the same on any copy of the keys. The effects of one
command, be it a script's, are a *transaction*: a node's log, its replicas and its disk have the
whole of it or nothing, as MULTI and EXEC around them see to in a real one.
"""

import re
from collections.abc import Callable
from typing import Any

from tests.simulation.lua import Functions, functions_of
from tests.simulation.replies import OK, Failure, Reply, Status

EventId = tuple[int, int]
Effect = tuple[Any, ...]
Transaction = tuple[Effect, ...]
_LIBRARY = re.compile(rb"#!lua name=(\w+)")
_LAST: EventId = (2**63, 2**63)


class Stream:
    """Entries in the order of their ids; an id is never given twice."""

    def __init__(self) -> None:
        self.entries: list[tuple[EventId, tuple[bytes, ...]]] = []
        self.last_id: EventId = (0, 0)


class Store:
    """The keys of one node."""

    def __init__(self, log: list[Transaction]) -> None:
        self.strings: dict[bytes, tuple[bytes, float]] = {}  # value, expiry in ms
        self.hashes: dict[bytes, dict[bytes, bytes]] = {}
        self.streams: dict[bytes, Stream] = {}
        self.libraries: dict[bytes, bytes] = {}
        self._functions: dict[bytes, Functions] = {}
        for transaction in log:
            for effect in transaction:
                self.apply(effect)

    def apply(self, effect: Effect) -> None:
        """Do what an effect says."""
        match effect:
            case ("HSET", key, pairs):
                self.hashes.setdefault(key, {}).update(pairs)
            case ("SET", key, value, expires_ms):
                self.strings[key] = value, expires_ms
            case ("XADD", key, event_id, fields):
                stream = self.streams.setdefault(key, Stream())
                stream.entries.append((event_id, fields))
                stream.last_id = event_id
            case ("XTRIM", key, first):
                stream = self.streams[key]
                stream.entries = [entry for entry in stream.entries if entry[0] >= first]
            case ("DEL", key):
                del self.strings[key]
            case ("FUNCTIONS", libraries):
                self.libraries = libraries
                self._functions = {
                    name: functions
                    for functions in map(functions_of, libraries.values())
                    for name in functions.by_name
                }
            case _:
                raise AssertionError(effect)

    def function(self, name: bytes) -> Functions | None:
        """Return the library that has a function, or None."""
        return self._functions.get(name)


class Executor:
    """Executes commands on a store; `effects` are those of the commands so far."""

    def __init__(self, store: Store, now_ms: float) -> None:
        self.effects: list[Effect] = []
        self._store = store
        self._now_ms = now_ms

    def execute(self, name: bytes, *arguments: bytes) -> Reply:
        """Execute one command and return its reply."""
        command = _COMMANDS.get(name)
        if command is None:
            return Failure(b"ERR unknown command '%b'" % name)
        return command(self, *arguments)

    def _write(self, *effect: object) -> None:
        self._store.apply(effect)
        self.effects.append(effect)

    def fcall(self, name: bytes, keys: bytes, *rest: bytes) -> Reply:
        library = self._store.function(name)
        if library is None:
            return Failure(b"ERR Function not found")
        count = int(keys)
        return library.run(name, list(rest[:count]), list(rest[count:]), self.execute)

    def function(self, *arguments: bytes) -> Reply:
        code = arguments[-1]
        found = _LIBRARY.match(code)
        assert found is not None
        self._write("FUNCTIONS", self._store.libraries | {found[1]: code})
        return found[1]

    def time(self) -> Reply:
        return [b"%d" % (self._now_ms // 1000), b"%d" % (self._now_ms % 1000 * 1000)]

    def get(self, key: bytes) -> bytes | None:
        value, expires_ms = self._store.strings.get(key, (None, 0.0))
        return value if self._now_ms < expires_ms else None

    def pttl(self, key: bytes) -> int:
        _, expires_ms = self._store.strings.get(key, (b"", self._now_ms - 2))
        return int(expires_ms - self._now_ms)

    def set(self, key: bytes, value: bytes, *options: bytes) -> Status:
        expires_ms = self._now_ms + int(options[1]) if options else float("inf")
        self._write("SET", key, value, expires_ms)
        return OK

    def delete(self, key: bytes) -> int:
        if key not in self._store.strings:
            return 0
        self._write("DEL", key)
        return 1

    def exists(self, key: bytes) -> int:
        return int(key in self._store.hashes)

    def hget(self, key: bytes, field: bytes) -> bytes | None:
        return self._store.hashes.get(key, {}).get(field)

    def hmget(self, key: bytes, *fields: bytes) -> Reply:
        return [self._store.hashes.get(key, {}).get(field) for field in fields]

    def hset(self, key: bytes, *pairs: bytes) -> int:
        self._write("HSET", key, dict(zip(pairs[::2], pairs[1::2], strict=True)))
        return 0

    def xadd(self, key: bytes, _: bytes, *fields: bytes) -> bytes:
        stream = self._store.streams.get(key)
        last = stream.last_id if stream else (0, 0)
        event_id = max((int(self._now_ms), 0), (last[0], last[1] + 1))
        self._write("XADD", key, event_id, fields)
        return _text(event_id)

    def xlen(self, key: bytes) -> int:
        return len(self._entries(key))

    def xrange(self, key: bytes, first: bytes, last: bytes, *count: bytes) -> Reply:
        low, high = _bound(first), _bound(last)
        found = [entry for entry in self._entries(key) if low <= entry[0] <= high]
        return [_entry(entry) for entry in found[: int(count[1]) if count else None]]

    def xrevrange(self, key: bytes, *_latest: bytes) -> Reply:
        return [_entry(entry) for entry in self._entries(key)[-1:]]

    def xtrim(self, key: bytes, _: bytes, first: bytes) -> int:
        before = self._entries(key)
        if before and before[0][0] < _bound(first):
            self._write("XTRIM", key, _bound(first))
        return len(before) - len(self._entries(key))

    def _entries(self, key: bytes) -> list[tuple[EventId, tuple[bytes, ...]]]:
        stream = self._store.streams.get(key)
        return stream.entries if stream else []


_COMMANDS: dict[bytes, Callable[..., Any]] = {
    b"FCALL": Executor.fcall,
    b"FUNCTION": Executor.function,
    b"TIME": Executor.time,
    b"GET": Executor.get,
    b"PTTL": Executor.pttl,
    b"SET": Executor.set,
    b"DEL": Executor.delete,
    b"EXISTS": Executor.exists,
    b"HGET": Executor.hget,
    b"HMGET": Executor.hmget,
    b"HSET": Executor.hset,
    b"XADD": Executor.xadd,
    b"XLEN": Executor.xlen,
    b"XRANGE": Executor.xrange,
    b"XREVRANGE": Executor.xrevrange,
    b"XTRIM": Executor.xtrim,
}


def _bound(text: bytes) -> EventId:
    if text in (b"-", b"+"):
        return (0, 0) if text == b"-" else _LAST
    ms, _, seq = text.partition(b"-")
    return int(ms), int(seq or 0)


def _text(event_id: EventId) -> bytes:
    return b"%d-%d" % event_id


def _entry(entry: tuple[EventId, tuple[bytes, ...]]) -> list[Any]:
    return [_text(entry[0]), list(entry[1])]
