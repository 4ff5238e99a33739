"""A shared limit on waiting."""

import asyncio

import pytest

from edge.patience import Patience

TIMEOUT_S = 0.08


async def test_a_wait_in_time_gives_its_result() -> None:
    assert await Patience(60).wait(asyncio.sleep(0, "done")) == "done"


async def test_a_wait_that_takes_too_long_ends() -> None:
    patience = Patience(TIMEOUT_S)
    with pytest.raises(TimeoutError):
        await patience.wait(asyncio.Event().wait())
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    await asyncio.sleep(0)  # the task goes on as if nothing had been


async def test_each_wait_has_its_own_time() -> None:
    patience = Patience(TIMEOUT_S)

    async def waits(seconds: float) -> str:
        try:
            return await patience.wait(asyncio.sleep(seconds, "done"))
        except TimeoutError:
            return "late"

    async with asyncio.TaskGroup() as waiting:
        tasks = [waiting.create_task(waits(seconds)) for seconds in (60, 0, 60, 0)]
    assert [task.result() for task in tasks] == ["late", "done", "late", "done"]
    assert await patience.wait(asyncio.sleep(0, "again")) == "again"
    with pytest.raises(TimeoutError):  # the watch begins anew
        await patience.wait(asyncio.Event().wait())


async def test_whoever_cancels_the_task_has_his_way() -> None:
    patience = Patience(60)
    task = asyncio.create_task(patience.wait(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_error_of_what_is_awaited_comes_through() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Patience(60).wait(fails())
