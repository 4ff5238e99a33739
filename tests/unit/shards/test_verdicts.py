"""What the client does about an error reply."""

import pytest

from shards.topology import Address
from shards.verdicts import Action, Verdict, judge

ASKED = Address("10.0.0.1", 7000)


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("MOVED 3999 127.0.0.1:6381", Verdict(Action.MOVE, Address("127.0.0.1", 6381))),
        ("MOVED 3999 :6381", Verdict(Action.MOVE, Address("10.0.0.1", 6381))),
        ("MOVED 1 redis-2.redis:6379", Verdict(Action.MOVE, Address("redis-2.redis", 6379))),
        ("ASK 3999 ::1:6381", Verdict(Action.ASK, Address("::1", 6381))),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Verdict(Action.WAIT)),
        ("CLUSTERDOWN Hash slot not served", Verdict(Action.WAIT)),
        ("LOADING Valkey is loading the dataset in memory", Verdict(Action.WAIT)),
        ("READONLY You can't write against a read only replica.", Verdict(Action.WAIT)),
        ("NOREPLICAS Not enough good replicas to write.", Verdict(Action.WAIT)),
        ("ERR Function not found", Verdict(Action.LOAD_FUNCTIONS)),
        ("NOROLL this shard does not hold that roll", Verdict(Action.NO_ROLL)),
        ("OOM command not allowed when used memory > 'maxmemory'.", Verdict(Action.NO_ROOM)),
        ("MISCONF Errors writing to the AOF file: No space left", Verdict(Action.NO_ROOM)),
        ("ERR wrong number of arguments for 'fcall' command", Verdict(Action.FAIL)),
        ("WRONGTYPE Operation against a key", Verdict(Action.FAIL)),
    ],
)
def test_verdict(message: str, verdict: Verdict) -> None:
    assert judge(message, ASKED) == verdict
