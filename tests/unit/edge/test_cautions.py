"""What is said at the start of a service."""

from edge.cautions import unknown_settings


def test_what_is_no_setting_is_named_and_its_value_is_not() -> None:
    env = {"SCRUTIN_REDIS_URI": "redis://:secret@a", "SCRUTIN_XYZZY": "secret", "SCRUTIN_PORT": "1"}
    assert unknown_settings(env) == [
        "SCRUTIN_REDIS_URI is no setting: did you mean SCRUTIN_REDIS_URL?",
        "SCRUTIN_XYZZY is no setting: it does nothing",
    ]
