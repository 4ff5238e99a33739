"""What is set wrongly or weakly and keeps no service from running: said once, at its start."""

from collections.abc import Mapping

from edge.settings import unknown_variables


def unknown_settings(env: Mapping[str, str]) -> list[str]:
    """Return a caution for each `SCRUTIN_` variable that is no setting, without its value."""
    return [
        f"{name} is no setting: {f'did you mean {closest}?' if closest else 'it does nothing'}"
        for name, closest in unknown_variables(env).items()
    ]
