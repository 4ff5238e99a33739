"""What the voters themselves know, on disk: one JSON line for every sending and every answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import msgspec

from tests.support.campaign import Answer, Attempt

Event = Literal["sent", "answered", "gave_up", "contradicted"]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of one attempt. `at_s` is since the run began; `tries` counts its sendings."""

    event: Event
    request_id: str
    vote_hash: str
    vote: str
    at_s: float
    status: str = ""
    attempt_count: int = 0
    tries: int = 0


class ClientLog:
    """Appends lines to a file as they happen; nothing is kept in memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()

    def write(self, line: Line) -> None:
        """Hand a line to the operating system."""
        self._file.write(self._encoder.encode(line) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Account(msgspec.Struct, frozen=True):
    """What a log adds up to."""

    answers: list[Answer]
    unanswered: list[Attempt]
    contradictions: list[str]
    longest_wait_s: float


def read_account(path: Path, attempts: Sequence[Attempt]) -> Account:
    """Read a log back; `attempts` are those that the voters had."""
    by_id = {attempt.request_id: attempt for attempt in attempts}
    sent: dict[str, float] = {}
    answered: dict[str, Answer] = {}
    found: list[str] = []
    longest_s = 0.0
    decoder = msgspec.json.Decoder(Line)
    for text in path.read_bytes().splitlines():
        line = decoder.decode(text)
        attempt = by_id[line.request_id]
        if line.event == "sent":
            sent.setdefault(line.request_id, line.at_s)
        elif line.event == "contradicted":
            found.append(f"{line.vote_hash[:8]}: {line.request_id} later answered {line.status}")
        elif line.event == "answered":
            answer = Answer(attempt, line.status, line.attempt_count)
            if answered.setdefault(line.request_id, answer) != answer:
                found.append(f"{line.vote_hash[:8]}: {line.request_id} answered in two ways")
            longest_s = max(longest_s, line.at_s - sent[line.request_id])
    silent = [by_id[request_id] for request_id in sent if request_id not in answered]
    return Account(list(answered.values()), silent, found, longest_s)
