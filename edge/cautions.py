"""What is set wrongly or weakly and keeps no service from running: said once, at its start."""

from collections.abc import Mapping

from edge.settings import Settings, unknown_variables

PLAIN_ROLL = (
    "the roll is hashed without a key (sha256): whoever sees a hash and knows the NAS finds the"
    " code within minutes; make it with `scrutin hashgen run --scheme hmac-sha256`"
)


def unknown_settings(env: Mapping[str, str]) -> list[str]:
    """Return a caution for each `SCRUTIN_` variable that is no setting, without its value."""
    return [
        f"{name} is no setting: {f'did you mean {closest}?' if closest else 'it does nothing'}"
        for name, closest in unknown_variables(env).items()
    ]


def roll_without_key(settings: Settings) -> str | None:
    """Return a caution where an election is meant (`replicated`) and the roll has no key."""
    plain = settings.hash_scheme == "sha256" and settings.durability == "replicated"
    return PLAIN_ROLL if plain else None
