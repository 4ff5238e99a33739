"""How a command ends: its work, or the wish to stop, whichever comes first."""

import asyncio
import os
import signal
import threading

import pytest

from edge.commands.running import EXIT_INTERRUPTED, Stopped, in_thread, run, unless


def test_sigterm_ends_the_work_as_ctrl_c_does() -> None:
    steps = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cleared up")

    assert run(work) == EXIT_INTERRUPTED
    assert steps == ["cleared up"]


async def test_work_that_ends_first_gives_its_result() -> None:
    async def work() -> str:
        return "done"

    assert await unless(asyncio.Event(), work()) == "done"


async def test_work_that_fails_says_so() -> None:
    async def work() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await unless(asyncio.Event(), work())


async def test_stop_cancels_the_work_and_waits_for_its_end() -> None:
    stop = asyncio.Event()
    steps = []

    async def work() -> str:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # tidying that takes a turn of the loop
            steps.append("tidied")
        return "done"

    assert await unless(stop, work()) is None
    assert steps == ["tidied"]


async def test_work_that_sees_the_wish_itself_is_not_done() -> None:
    stop = asyncio.Event()

    async def work() -> str:
        stop.set()
        raise Stopped

    assert await unless(stop, work()) is None


async def test_a_cancelled_caller_waits_for_its_thread() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(60)
        ended.set()

    caller = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 60)
    caller.cancel()
    await asyncio.wait([caller], timeout=0.05)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


async def test_a_threads_error_is_its_callers() -> None:
    def work() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await in_thread(work)
