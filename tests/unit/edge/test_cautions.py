"""What is said at the start of a service."""

import pytest

from edge.cautions import roll_without_key, unknown_settings
from edge.settings import from_env

KEYED = {"SCRUTIN_HASH_SCHEME": "hmac-sha256", "SCRUTIN_HASH_KEY_FILE": "/key"}


def test_what_is_no_setting_is_named_and_its_value_is_not() -> None:
    env = {"SCRUTIN_REDIS_URI": "redis://:secret@a", "SCRUTIN_XYZZY": "secret", "SCRUTIN_PORT": "1"}
    assert unknown_settings(env) == [
        "SCRUTIN_REDIS_URI is no setting: did you mean SCRUTIN_REDIS_URL?",
        "SCRUTIN_XYZZY is no setting: it does nothing",
    ]


@pytest.mark.parametrize(
    ("env", "plain"),
    [({}, True), (KEYED, False), ({"SCRUTIN_DURABILITY": "fsync"}, False)],
)
def test_a_roll_without_a_key(env: dict[str, str], *, plain: bool) -> None:
    assert bool(roll_without_key(from_env(env))) == plain
