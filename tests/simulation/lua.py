"""Runs the function libraries of `shards/lua/`, the very files, in Lua 5.1 as the servers do."""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from lupa import lua51

from tests.simulation.replies import Failure, Reply, Status

Call = Callable[..., Reply]
LuaValue = Any  # as lupa hands values over: bytes, numbers, bool, None, tables


class CommandFailed(Exception):
    """A command failed inside a function; none of ours expects it."""


class Functions:
    """The functions of one library."""

    def __init__(self, code: bytes) -> None:
        self._lua = lua51.LuaRuntime(
            encoding=None, unpack_returned_tuples=False, register_eval=False
        )
        self.by_name: dict[bytes, Any] = {}
        self._call: Call | None = None
        _, _, body = code.partition(b"\n")  # the shebang names engine and library
        table = self._lua.table_from
        globals_ = self._lua.globals()
        globals_[b"redis"] = table(
            {
                b"call": self._redis_call,
                b"register_function": self._register,
                b"error_reply": lambda text: table({b"err": text}),
                b"status_reply": lambda text: table({b"ok": text}),
            }
        )
        globals_[b"cjson"] = table({b"decode": lambda text: self._json(msgspec.json.decode(text))})
        self._lua.execute(body)

    def run(self, name: bytes, keys: list[bytes], args: list[bytes], call: Call) -> Reply:
        """Run a function; `call(*arguments)` executes a command for it."""
        table = self._lua.table_from
        self._call = call
        try:
            return self._reply(self.by_name[name](table(keys), table(args)))
        finally:
            self._call = None

    def _register(self, name: LuaValue, callback: LuaValue = None) -> None:
        if callback is None:
            name, callback = name[b"function_name"], name[b"callback"]
        self.by_name[name] = callback

    def _redis_call(self, *arguments: LuaValue) -> LuaValue:
        assert self._call is not None
        return self._value(
            self._call(*(a if isinstance(a, bytes) else b"%d" % a for a in arguments))
        )

    def _value(self, reply: Reply) -> LuaValue:
        """Turn a reply into what Lua sees."""
        if reply is None:
            return False
        if isinstance(reply, list):
            return self._lua.table_from([self._value(item) for item in reply])
        if isinstance(reply, Failure):
            raise CommandFailed(reply.text)
        return self._lua.table_from({b"ok": reply.text}) if isinstance(reply, Status) else reply

    def _json(self, value: LuaValue) -> LuaValue:
        """Turn decoded JSON into what Lua sees; no null comes in ours."""
        if isinstance(value, dict):
            pairs = {key.encode(): self._json(item) for key, item in value.items()}
            return self._lua.table_from(pairs)
        if isinstance(value, list):
            return self._lua.table_from([self._json(item) for item in value])
        return value.encode() if isinstance(value, str) else value

    def _reply(self, value: LuaValue) -> Reply:
        """Turn what Lua returned into a reply."""
        if value is None or isinstance(value, bytes):
            return value
        if isinstance(value, bool):
            return 1 if value else None
        if isinstance(value, int | float):
            return int(value)
        if (text := value[b"err"]) is not None:
            return Failure(text)
        if (text := value[b"ok"]) is not None:
            return Status(text)
        return [self._reply(item) for item in value.values()]


@cache
def functions_of(code: bytes) -> Functions:
    """Compile a library once; it keeps nothing between calls."""
    return Functions(code)
