"""Examples of the API for a shell, which run as they stand: a test runs each of them."""

import re
from typing import NamedTuple

HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?\Z")
FALLBACK_HOST = "localhost:8000"


class Example(NamedTuple):
    """Lines for a shell, and what they show."""

    title: str
    lines: str


def examples(scheme: str, host: str, law_id: str) -> list[Example]:
    """Return the examples for this instance.

    A client writes the Host header itself, and whoever reads the page pastes it into a shell: what
    does not look like a host does not get in.
    """
    url = f"{scheme}://{host if HOST.match(host) else FALLBACK_HOST}"
    ballot = f'{{"nas":"012 345 678","code":"abc-123","law_id":"{law_id}","vote":"oui"}}'
    return [
        Example("What is voted on", f"curl -sS {url}/api/v1/laws"),
        Example(
            "Cast a vote, sent again with the same id until there is an answer: 202 accepted, 409"
            " voted already, 403 not on the roll or not open",
            "id=$(cat /proc/sys/kernel/random/uuid)\n"
            f"curl -sS --retry 5 {url}/api/v1/vote \\\n"
            '  -H "Content-Type: application/json" -H "Idempotency-Key: $id" \\\n'
            f"  -d '{ballot}'",
        ),
        Example(
            "What a mistake looks like: the field at fault, never its value",
            f"curl -sS {url}/api/v1/vote \\\n"
            "  -H 'Content-Type: application/json' -H 'Accept-Language: fr' \\\n"
            f"  -d '{ballot.replace('012 345 678', '12')}'",
        ),
        Example("The count", f"curl -sS {url}/api/v1/results/{law_id}"),
        Example("How the service does", f"curl -sS {url}/api/v1/health"),
    ]
