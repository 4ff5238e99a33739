"""`scrutin election status`: what each node believes, and whether they agree."""

import json

import pytest

from shards import keys
from shards.command import pack
from tests.integration.edge.test_commands import scrutin
from tests.integration.recovery.conftest import LAWS, Day


async def test_status_says_what_each_node_believes(day: Day, stores: dict[str, str]) -> None:
    code, out, errors = await scrutin("election", "status", "--json", **stores)
    status = json.loads(out)
    assert (code, status["faults"]) == (0, []), errors
    assert len(status["nodes"]) == 3
    assert {law["state"] for node in status["nodes"] for law in node["laws"]} == {"open"}
    assert sum(node["shards"] for node in status["nodes"]) == keys.SHARDS
    code, out, _ = await scrutin("election", "status", **stores)
    assert (code, out.count(day.store.info.roll_id)) == (0, 3)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (("HDEL", f"closes:{LAWS[0]}"), "1 shards have no window"),
        (("HSET", f"closes:{LAWS[0]}", "9999999999999"), "do not agree on the window"),
        (("HSET", f"closes:{LAWS[0]}", "1000"), "not the same everywhere: closed, open"),
        (("HDEL", "ready"), "not all of them are ready"),
    ],
)
async def test_nodes_that_disagree_are_exit_code_1(
    day: Day, stores: dict[str, str], command: tuple[str, ...], fault: str
) -> None:
    name, *arguments = command
    await day.redis.call(200, pack(name, keys.meta_key(200), *arguments))
    code, out, _ = await scrutin("election", "status", **stores)
    assert (code, fault in out) == (1, True), out


async def test_clocks_that_differ_too_much_are_exit_code_1(
    day: Day, stores: dict[str, str]
) -> None:
    code, out, _ = await scrutin("election", "status", "--skew-ms-max", "-1", **stores)
    assert (code, "the clocks differ by" in out) == (1, True), out
