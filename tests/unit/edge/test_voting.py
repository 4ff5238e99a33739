"""What becomes of a vote that the roll did not decide."""

import logging
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from edge.metrics import EdgeMetrics
from edge.problems import INTERNAL, NOT_CONFIRMED, NOT_READY, OVERLOADED, UNAVAILABLE, ProblemKind
from edge.settings import Settings
from edge.voting import VotingDesk
from shards.errors import (
    ConfigurationError,
    NotConfirmed,
    Overloaded,
    RollIncomplete,
    RollMissing,
    ShardsError,
    Unavailable,
)

REQUEST_ID = UUID("0b2f6a52-5d0c-4c3f-9d0e-3f6c2f1f7a11")


@pytest.fixture
def desk() -> VotingDesk:
    return VotingDesk(Settings().hasher(), lambda: None, EdgeMetrics(CollectorRegistry()), 10)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotConfirmed, NOT_CONFIRMED),
        (Overloaded, OVERLOADED),
        (RollMissing, NOT_READY),
        (RollIncomplete, NOT_READY),
        (Unavailable, UNAVAILABLE),
        (ShardsError, INTERNAL),
        (ConfigurationError, INTERNAL),
    ],
)
def test_only_what_passes_is_to_be_sent_again(
    desk: VotingDesk, error: type[ShardsError], kind: ProblemKind
) -> None:
    assert desk.problem_of(error("why"), REQUEST_ID) is kind
    assert (kind.status, kind.retry_after_s > 0) == (
        (500, False) if kind is INTERNAL else (503, True)
    )


def test_a_mistake_is_logged_once_a_kind_and_without_arguments(
    desk: VotingDesk, caplog: pytest.LogCaptureFixture
) -> None:
    """The words are those of a server that has no FCALL."""
    refused = "Redis refused a command: ERR unknown command 'FCALL'"
    with caplog.at_level(logging.ERROR, "edge"):
        for _ in range(3):
            arguments = "with args beginning with: 'hashed' 'oui' "
            desk.problem_of(ShardsError(f"{refused}, {arguments}"), REQUEST_ID)
            desk.problem_of(ConfigurationError("another kind"), REQUEST_ID)
            desk.problem_of(Unavailable("what passes is told to the voter alone"), REQUEST_ID)
    assert [record.getMessage() for record in caplog.records] == [
        f"votes fail: ShardsError: {refused}",
        "votes fail: ConfigurationError: another kind",
    ]
    assert {vars(record)["request_id"] for record in caplog.records} == {str(REQUEST_ID)}
