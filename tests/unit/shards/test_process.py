"""What is said of a process that needs too long."""

import asyncio

import pytest

from shards.process import within


async def test_what_is_not_done_in_time_is_said() -> None:
    with pytest.raises(TimeoutError, match=r"^the edge is not ready after 0\.01 s: is the machine"):
        async with within(0.01, "the edge is not ready"):
            await asyncio.Event().wait()


async def test_what_fails_in_time_fails_as_ever() -> None:
    with pytest.raises(LookupError):
        async with within(10, "nothing"):
            raise LookupError
