"""The deck: every vote that is sent, the answer that it must get, and what must be stored of it.

One seed and the same electors make the same deck, request ids included, so that what a rehearsal
left behind can be told from anybody's vote later.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from edge.accuracy.electors import LAW_ELECTORS_MIN, Card
from edge.errors import AccuracyRefused
from hashgen import BallotHasher
from shards.results import LawTally

Kind = Literal["accepted", "duplicate", "retry", "conflict", "unknown", "malformed"]
AGAIN_MAX, UNKNOWN_MAX = 20, 5  # a law: addresses that fail much are slowed down
DUPLICATES_MAX = 3  # of one ballot
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
SHORT_NAS = "01234567"
CODE_LENGTH = 12  # longer than any that `scrutin hashgen sample` makes
OTHER = {"oui": "non", "non": "oui"}


class Answer(NamedTuple):
    """An HTTP status, the decision that the body names, and which duplicate it was."""

    http: int
    status: str = ""
    attempt_count: int = 0


class Event(NamedTuple):
    """What must be in `vote_audit` of an attempt; ids and hashes as bytes."""

    ballot_hash: bytes
    law_id: str
    vote: str
    status: str
    request_id: bytes
    attempt: int


class Attempt(NamedTuple):
    """A request and its answer; `event` is None where nothing may be counted. Never shown."""

    kind: Kind
    law_id: str
    ballot_hash: bytes
    request_id: UUID
    body: bytes
    answer: Answer
    event: Event | None

    def __repr__(self) -> str:
        return f"Attempt({self.kind}, {self.law_id}, {self.request_id})"


class LawDeck(msgspec.Struct, frozen=True):
    """A law's part of the deck: ballots that count, and attempts by kind."""

    law_id: str
    electors: int
    oui: int
    non: int
    attempts: dict[str, int]


class Deck(NamedTuple):
    """`first` in any order; then `later`, of which those of one hash must stay in order."""

    cards: list[Card]
    first: list[Attempt]
    later: list[Attempt]

    @property
    def attempts(self) -> list[Attempt]:
        """All of them."""
        return self.first + self.later

    @property
    def events(self) -> list[Event]:
        """All that must be in `vote_audit`."""
        return [attempt.event for attempt in self.attempts if attempt.event is not None]

    @property
    def tallies(self) -> list[LawTally]:
        """What the count must be, by law id."""
        return [LawTally(law.law_id, law.oui, law.non) for law in self.laws()]

    def laws(self) -> list[LawDeck]:
        """Return the deck's counts by law id."""
        votes = Counter((e.law_id, e.vote) for e in self.events if e.status == "accepted")
        kinds = Counter((attempt.law_id, attempt.kind) for attempt in self.attempts)
        electors = Counter(card.law_id for card in self.cards)
        return [
            LawDeck(
                law_id,
                electors[law_id],
                votes[law_id, "oui"],
                votes[law_id, "non"],
                {kind: count for (law, kind), count in sorted(kinds.items()) if law == law_id},
            )
            for law_id in sorted(electors)
        ]


def make_deck(cards: Sequence[Card], hasher: BallotHasher, seed: int) -> Deck:
    """Make the deck; raises `AccuracyRefused` when a law has too few electors."""
    rng = random.Random(seed)  # noqa: S311 - has to be repeatable
    first: list[Attempt] = []
    chains: list[list[Attempt]] = []
    for law_id in sorted({card.law_id for card in cards}):
        mine = [card for card in cards if card.law_id == law_id]
        if len(mine) < LAW_ELECTORS_MIN:
            raise AccuracyRefused(
                f"the deck has {len(mine)} electors for law {law_id}: {LAW_ELECTORS_MIN} are needed"
            )
        rng.shuffle(mine)
        idle = mine[: len(mine) // LAW_ELECTORS_MIN]  # whoever does not vote must not be counted
        voters = mine[len(idle) :]
        few = rng.randint(1, (len(voters) - 1) // 2)  # never as many as the others
        less, more = rng.sample(("oui", "non"), 2)
        ballots = [
            _accepted(rng, card, less if place < few else more) for place, card in enumerate(voters)
        ]
        first += ballots
        again = rng.sample(ballots, min(AGAIN_MAX, max(3, len(ballots) // 4)))
        by_hash = {card.ballot_hash: card for card in voters}
        for place, ballot in enumerate(again):
            chains.append(_again(rng, by_hash[ballot.ballot_hash], ballot, place % 3))
        chains += [[_unknown(rng, card, hasher)] for card in idle[:UNKNOWN_MAX]]
        chains += [[attempt] for attempt in _malformed(rng, idle[0])]
    rng.shuffle(first)
    return Deck(list(cards), first, _mixed(rng, chains))


def _mixed(rng: random.Random, chains: list[list[Attempt]]) -> list[Attempt]:
    """Shuffle the chains into each other, each in its order."""
    turns = [place for place, chain in enumerate(chains) for _ in chain]
    rng.shuffle(turns)
    left = [iter(chain) for chain in chains]
    return [next(left[place]) for place in turns]


def _again(rng: random.Random, card: Card, ballot: Attempt, how: int) -> list[Attempt]:
    """Return what comes after a ballot: other requests, the same one, one that contradicts it."""
    assert ballot.event is not None
    retry = ballot._replace(kind="retry", event=None)
    vote, request_id = ballot.event.vote, ballot.request_id
    contrary = Attempt(
        "conflict", card.law_id, card.ballot_hash, request_id,
        _body(card, OTHER[vote], request_id), Answer(422), None,
    )  # fmt: skip
    if how == 1:
        return [retry]
    if how == 2:
        return [contrary, retry]
    duplicates = [
        _duplicate(rng, card, number) for number in range(1, rng.randint(1, DUPLICATES_MAX) + 1)
    ]
    return [*duplicates, duplicates[-1]._replace(kind="retry", event=None), retry]


def _accepted(rng: random.Random, card: Card, vote: str) -> Attempt:
    request_id = _request_id(rng)
    return Attempt(
        "accepted", card.law_id, card.ballot_hash, request_id, _body(card, vote, request_id),
        Answer(202, "accepted"),
        Event(card.ballot_hash, card.law_id, vote, "accepted", request_id.bytes, 0),
    )  # fmt: skip


def _duplicate(rng: random.Random, card: Card, number: int) -> Attempt:
    request_id, vote = _request_id(rng), rng.choice(("oui", "non"))
    return Attempt(
        "duplicate", card.law_id, card.ballot_hash, request_id, _body(card, vote, request_id),
        Answer(409, "duplicate", number),
        Event(card.ballot_hash, card.law_id, vote, "duplicate", request_id.bytes, number),
    )  # fmt: skip


def _unknown(rng: random.Random, card: Card, hasher: BallotHasher) -> Attempt:
    """Return a ballot with a wrong code, which is on no roll."""
    code = "".join(rng.choices(CODE_LETTERS, k=CODE_LENGTH))
    wrong = card._replace(code=code, ballot_hash=hasher.hash(card.nas, code, card.law_id))
    request_id = _request_id(rng)
    return Attempt(
        "unknown", card.law_id, wrong.ballot_hash, request_id, _body(wrong, "oui", request_id),
        Answer(403, "invalid"),
        Event(wrong.ballot_hash, card.law_id, "oui", "invalid", request_id.bytes, 0),
    )  # fmt: skip


def _malformed(rng: random.Random, card: Card) -> list[Attempt]:
    """Return requests that are no votes: a choice, a NAS, a field and a document too few."""
    short, half = card._replace(nas=SHORT_NAS), card._replace(code="AB")
    ids = [_request_id(rng) for _ in range(4)]
    bodies = [
        _body(card, "peut-être", ids[0]),
        _body(short, "oui", ids[1]),
        _body(half, "oui", ids[2]),
        _body(card, "oui", ids[3])[:-1],
    ]
    return [
        Attempt("malformed", card.law_id, card.ballot_hash, request_id, body, Answer(400), None)
        for request_id, body in zip(ids, bodies, strict=True)
    ]


def _request_id(rng: random.Random) -> UUID:
    return UUID(int=rng.getrandbits(128), version=4)


def _body(card: Card, vote: str, request_id: UUID) -> bytes:
    fields = {"nas": card.nas, "code": card.code, "law_id": card.law_id, "vote": vote}
    return msgspec.json.encode(fields | {"request_id": str(request_id)})
