"""How every command takes its settings, runs, and says what went wrong."""

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import msgspec
import uvloop
from cyclopts import Parameter

from clickhouse.errors import ClickHouseError
from edge import settings as declared
from edge.errors import EdgeError, RecordError
from edge.settings import Settings
from hashgen.errors import HashgenError
from shards.errors import ConfigurationError, ShardsError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_WRONG_SETTINGS = 2
EXIT_INTERRUPTED = 130

Command = Callable[..., int]
T = TypeVar("T")


class Stopped(Exception):
    """Ends work that `unless` was to do, from within: a thread's, which cannot be cancelled."""


def with_settings(*names: str) -> Callable[[Command], Command]:
    """Give a command the flags of these settings; it gets those given as `**flags`."""

    def decorate(command: Command) -> Command:
        own = inspect.signature(command)
        parameters = [
            parameter
            for parameter in own.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        parameters += [_flag(field) for field in _fields(names)]
        # cyclopts reads the signature: flags, types and help follow from the settings
        command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {item.name: item.annotation for item in parameters}
        return command

    return decorate


def settings_of(flags: dict[str, Any]) -> Settings:
    """Return the settings of a command: its flags over the environment."""
    return declared.from_env(os.environ, flags)


def run(work: Callable[[], Coroutine[Any, Any, int | None]]) -> int:
    """Run a command and return its exit code; an error is one line on stderr.

    2 when an operator has to change a setting or a file first, 1 for other failures.
    """
    try:
        return uvloop.run(_ended_by_sigterm(work())) or EXIT_OK
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED
    except RecordError as error:
        _complain(error)
        return EXIT_FAILED
    except (EdgeError, ConfigurationError) as error:
        _complain(error)
        return EXIT_WRONG_SETTINGS
    except (ShardsError, ClickHouseError, HashgenError, OSError) as error:
        _complain(error)
        return EXIT_FAILED


async def _ended_by_sigterm(work: Coroutine[Any, Any, int | None]) -> int | None:
    """Do the work; SIGTERM ends it as Ctrl-C does, so that it clears up what it began."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set, in place of ending the work."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work unless `stop` comes first; return its result, None if it was not done."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        try:
            return task.result()
        except Stopped:
            return None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


async def in_thread(work: Callable[[], T]) -> T:
    """Run in a thread, and when cancelled wait until the thread has ended.

    The thread would go on otherwise, and write to what its caller removes meanwhile.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _complain(error: Exception) -> None:
    text = " ".join(str(error).split())
    sys.stderr.write(f"scrutin: {text or type(error).__name__}\n")


def _fields(names: tuple[str, ...]) -> list[msgspec.structs.FieldInfo]:
    by_name = {field.name: field for field in msgspec.structs.fields(Settings)}
    return [by_name[name] for name in names]


def _flag(field: msgspec.structs.FieldInfo) -> inspect.Parameter:
    variable = declared.variable(field.name)
    default = f", default: {field.default}" if field.default not in (None, ()) else ""
    help_text = f"{declared.description(field.name)} [{variable}{default}]"
    kind: Any = bool if field.type is bool or isinstance(field.default, bool) else str
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, Parameter(help=help_text, show_default=False)],
    )
