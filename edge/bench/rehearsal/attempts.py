"""Every attempt of the day, written ahead: who votes what, who votes again, who errs."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from edge.demo.electorate import Card
from hashgen.progress import Report
from shards.results import LawTally

AGAIN_SHARE = 0.10
INVALID_SHARE = 0.01
OUI_SHARE = 0.55
WRONG_CODE = "WRONGCODE"  # of nine characters, where sample electors' codes have eight
CHUNK_ELECTORS = 10_000
CHUNKS_MIN = 16  # a part, even of a small roll: ballots are mixed within two chunks


class Expected(msgspec.Struct, frozen=True):
    """What the attempts must come to; `tallies` are of the electors' first ballots."""

    electors: int
    duplicates: int
    invalid: int
    tallies: list[LawTally]

    @property
    def attempts(self) -> int:
        """All ballots to be sent."""
        return self.electors + self.duplicates + self.invalid


def write_attempts(
    csv_file: Path, prefix: Path, *, parts: int, electors: int, seed: int, report: Report
) -> Expected:
    """Write a ballot of every elector, a tenth again and a hundredth with a wrong code, mixed.

    The files are `prefix` with 0 to `parts` - 1 appended; a line is a request's body. All ballots
    of an elector are in one file, the one that counts first. Equal arguments give equal files. The
    CSV is of sample electors: a header, then nas,code,law_id without quotes.
    """
    rng = random.Random(seed)  # noqa: S311 - has to be repeatable
    votes: Counter[tuple[str, str]] = Counter()
    duplicates = invalid = done = 0
    later: list[list[Card]] = [[] for _ in range(parts)]
    files = [part_of(prefix, part).open("wb") for part in range(parts)]
    try:
        size = max(1, min(CHUNK_ELECTORS, electors // (CHUNKS_MIN * parts)))
        for number, cards in enumerate(_chunks(csv_file, size)):
            part = number % parts
            choices = _choices(rng, len(cards))
            votes.update(zip((card.law_id for card in cards), choices, strict=True))
            wrong = [
                Card(card.nas, WRONG_CODE, card.law_id)
                for card in cards
                if rng.random() < INVALID_SHARE
            ]
            others = later[part] + wrong
            _write(files[part], rng, cards + others, choices + _choices(rng, len(others)))
            later[part] = [card for card in cards if rng.random() < AGAIN_SHARE]
            duplicates += len(later[part])
            invalid += len(wrong)
            done += len(cards)
            report("ballots", done, electors)
        for file, again in zip(files, later, strict=True):
            _write(file, rng, again, _choices(rng, len(again)))
    finally:
        for file in files:
            file.close()
    laws = sorted({law_id for law_id, _ in votes})
    tallies = [LawTally(law_id, votes[law_id, "oui"], votes[law_id, "non"]) for law_id in laws]
    return Expected(done, duplicates, invalid, tallies)


def part_of(prefix: Path, part: int) -> Path:
    """Return the file of a part."""
    return prefix.with_name(f"{prefix.name}{part}")


def _chunks(csv_file: Path, size: int) -> Iterator[list[Card]]:
    with csv_file.open() as lines:
        next(lines)
        while rows := list(islice(lines, size)):
            yield [Card(*row.rstrip("\n").split(",")) for row in rows]


def _choices(rng: random.Random, count: int) -> list[str]:
    return ["oui" if rng.random() < OUI_SHARE else "non" for _ in range(count)]


def _write(file: BinaryIO, rng: random.Random, cards: list[Card], choices: list[str]) -> None:
    """Write ballots in any order, each under a request id of its own."""
    ballots = list(zip(cards, choices, strict=True))
    rng.shuffle(ballots)
    digits = rng.randbytes(16 * len(ballots)).hex()
    lines = []
    for first, ((nas, code, law_id), choice) in zip(
        range(0, len(digits), 32), ballots, strict=True
    ):
        request_id = (
            f"{digits[first : first + 8]}-{digits[first + 8 : first + 12]}-"
            f"{digits[first + 12 : first + 16]}-{digits[first + 16 : first + 20]}-"
            f"{digits[first + 20 : first + 32]}"
        )
        lines.append(
            f'{{"nas":"{nas}","code":"{code}","law_id":"{law_id}","vote":"{choice}",'
            f'"request_id":"{request_id}"}}\n'
        )
    file.write("".join(lines).encode())
