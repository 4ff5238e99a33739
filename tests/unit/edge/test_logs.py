"""How often the same is said."""

from edge.logs import Sparingly
from tests.unit.edge.test_ratelimit import Clock


def test_once_a_kind_in_a_while() -> None:
    clock = Clock()
    sparingly = Sparingly(5.0, clock)
    assert [sparingly.may_say(ValueError) for _ in range(3)] == [True, False, False]
    assert sparingly.may_say(KeyError)
    clock.now_s += 4.9
    assert not sparingly.may_say(ValueError)
    clock.now_s += 0.2
    assert sparingly.may_say(ValueError)
    assert not sparingly.may_say(ValueError)
