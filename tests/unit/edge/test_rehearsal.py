"""The parts of `scrutin bench rehearsal` that need no engines."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from clickhouse.verify import Verification
from edge.bench.rehearsal.attempts import WRONG_CODE, Expected, part_of, write_attempts
from edge.bench.rehearsal.casting import Cast
from edge.bench.rehearsal.reconciling import LATE, Ended, reconcile
from edge.bench.rehearsal.room import check_disk
from edge.errors import SettingsError
from edge.results import LawResults
from hashgen.sample import write_sample
from shards.results import LawTally

LAWS = ["L2025-001", "L2025-002"]
ROWS = 6000
PARTS = 2
EXPECTED = Expected(1000, 100, 10, [LawTally(LAWS[0], 600, 400)])
CAST = Cast({202: 1000, 403: 10, 409: 100}, {202: 1000, 403: 10, 409: 100}, 0, 0, 1.0, {}, [])


def attempts(directory: Path, *, seed: int = 1) -> tuple[Expected, list[list[dict[str, str]]]]:
    csv_file = directory / "electors.csv"
    if not csv_file.exists():
        write_sample(csv_file, ROWS // len(LAWS), LAWS, seed=seed)
    prefix = directory / f"ballots{seed}."
    expected = write_attempts(
        csv_file, prefix, parts=PARTS, electors=ROWS, seed=seed, report=lambda *_: None
    )
    parts = [part_of(prefix, part).read_text().splitlines() for part in range(PARTS)]
    return expected, [[json.loads(line) for line in lines] for lines in parts]


def test_what_is_sent_comes_to_what_is_expected(tmp_path: Path) -> None:
    expected, parts = attempts(tmp_path)
    seen: dict[tuple[str, str], str] = {}
    votes: Counter[tuple[str, str]] = Counter()
    duplicates = invalid = other_choice = 0
    wrong_ballots = set()
    for ballot in (ballot for ballots in parts for ballot in ballots):
        elector = ballot["nas"], ballot["law_id"]
        if ballot["code"] == WRONG_CODE:
            invalid += 1
            wrong_ballots.add(elector)
        elif elector in seen:
            duplicates += 1
            other_choice += ballot["vote"] != seen[elector]
        else:
            seen[elector] = ballot["vote"]
            votes[ballot["law_id"], ballot["vote"]] += 1
    assert (len(seen), duplicates, invalid) == (
        expected.electors,
        expected.duplicates,
        expected.invalid,
    )
    assert expected.tallies == [LawTally(law, votes[law, "oui"], votes[law, "non"]) for law in LAWS]
    assert expected.electors == ROWS
    assert len(wrong_ballots) == invalid
    assert 0.08 < duplicates / ROWS < 0.12
    assert 0.005 < invalid / ROWS < 0.015
    assert 0 < other_choice < duplicates
    request_ids = [ballot["request_id"] for ballots in parts for ballot in ballots]
    assert len(set(request_ids)) == expected.attempts


def test_an_electors_ballots_are_in_one_part_and_mixed(tmp_path: Path) -> None:
    _, (first, second) = attempts(tmp_path)
    assert not {ballot["nas"] + ballot["law_id"] for ballot in first} & {
        ballot["nas"] + ballot["law_id"] for ballot in second
    }
    wrong = [place for place, ballot in enumerate(first) if ballot["code"] == WRONG_CODE]
    assert min(wrong) < len(first) / 4
    assert max(wrong) > 3 * len(first) / 4


def test_a_seed_names_the_day(tmp_path: Path) -> None:
    once, parts = attempts(tmp_path)
    assert attempts(tmp_path) == (once, parts)
    assert attempts(tmp_path, seed=2)[1] != parts


def test_rates_are_of_ten_seconds() -> None:
    progress = [(0.0, 0), (4.0, 100), (10.0, 200), (19.0, 1000), (20.0, 1200), (23.0, 1300)]
    assert msgspec.structs.replace(CAST, progress=progress).rates() == [(10.0, 20.0), (20.0, 100.0)]
    short = [(0.0, 0), (1.0, 10), (2.0, 50)]
    assert msgspec.structs.replace(CAST, progress=short).rates() == [(2.0, 25.0)]


def ended() -> Ended:
    """Return the end of a day on which all went well."""
    proof = Verification(
        electors=1000,
        matched=1000,
        voted=1000,
        audit_events=1110,
        ballots=1000,
        duplicates=100,
        refused=10,
    )
    published = LawResults(LAWS[0], 600, 400, datetime.now(UTC), final=True)
    return Ended(LATE, [LawTally(LAWS[0], 600, 400)], [published], proof)


def wrong(cast: Cast, state: Ended) -> list[str]:
    return [check.name for check in reconcile(EXPECTED, cast, state) if not check.holds]


def test_a_day_on_which_all_went_well_reconciles() -> None:
    assert wrong(CAST, ended()) == []
    kept_again = ended()
    kept_again.verification.audit_events += 2
    assert wrong(msgspec.structs.replace(CAST, again=2), kept_again) == []
    assert wrong(CAST, kept_again) == ["attempts kept"]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda proof: setattr(proof, "electors", 999), "electors on the roll"),
        (
            lambda proof: setattr(proof, "matched", 999),
            "electors on the roll and in the hash database",
        ),
        (lambda proof: setattr(proof, "voted", 999), "electors who voted, by the roll"),
        (lambda proof: setattr(proof, "ballots", 1001), "ballots kept"),
        (lambda proof: setattr(proof, "duplicates", 99), "duplicates kept"),
        (lambda proof: setattr(proof, "refused", 11), "hashes refused"),
        (lambda proof: setattr(proof, "audit_events", 1109), "attempts kept"),
        (
            lambda proof: setattr(proof, "differences_total", 1),
            "differences found by the verification",
        ),
    ],
)
def test_what_is_kept_is_held_to_what_was_sent(
    spoil: Callable[[Verification], None], found: str
) -> None:
    state = ended()
    spoil(state.verification)
    assert wrong(CAST, state) == [found]


def test_answers_and_counts_are_held_to_what_was_sent() -> None:
    lost = msgspec.structs.replace(CAST, decisions={202: 999, 403: 10, 409: 101})
    assert wrong(lost, ended()) == ["answered 202, accepted", "answered 409, duplicate"]
    replace = msgspec.structs.replace
    assert wrong(CAST, replace(ended(), late="409 duplicate")) == ["a vote after closing"]
    miscounted = replace(ended(), tallies=[LawTally(LAWS[0], 601, 399)])
    assert wrong(CAST, miscounted) == [f"{LAWS[0]} counted"]
    strange = replace(ended(), tallies=[*ended().tallies, LawTally("L9", 1, 0)])
    assert wrong(CAST, strange) == ["L9 counted"]
    for changes in ({"final": False}, {"oui_count": 599}):
        [law] = ended().published
        unpublished = replace(ended(), published=[replace(law, **changes)])
        assert wrong(CAST, unpublished) == [f"{LAWS[0]} published"]


def test_too_little_disk_is_said_first(tmp_path: Path) -> None:
    assert "GB are free" in check_disk(tmp_path, 1000, 2)
    with pytest.raises(SettingsError, match="give fewer --electors, or let TMPDIR name"):
        check_disk(tmp_path, 10**12, 2)
