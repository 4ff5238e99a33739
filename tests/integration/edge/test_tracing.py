"""Traces: sent to a collector only where the environment asks for them, and without secrets."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from edge.errors import StartError
from edge.traced import make_provider
from edge.tracing import tracing, wanted
from hashgen import ballot_hash
from shards.localcluster import LocalCluster
from tests.integration.edge.conftest import Elections, ballot, new_id
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
ATTRIBUTES = {
    "http.request.method", "http.route", "http.response.status_code", "scrutin.decision",
    "error.type",
}  # fmt: skip


class Collector:
    """Keeps what an OTLP/HTTP exporter sends."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    thread = threading.Thread(target=running.server.serve_forever)
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


def attributes(span: Span) -> dict[str, object]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


async def test_votes_are_traced_and_tell_nothing_about_voters(
    loaded: LocalCluster,
    elections: Elections,
    elector: Elector,
    collector: Collector,
    tmp_path: Path,
) -> None:
    edge = EdgeProcess(
        tmp_path, redis_url=loaded.url, election=elections.live, exempt_loopback=True
    )
    edge.process.env |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    request_id = new_id()
    async with edge, httpx.AsyncClient(base_url=edge.url) as http:
        brought = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
        vote = ballot(elector, request_id=request_id)
        for body, status in (
            (vote, 202),
            (ballot(elector, "non"), 409),
            (ballot(elector._replace(code="NOTMINE1")), 403),
            (ballot(elector, vote=elector.nas), 400),
        ):
            answer = await http.post("/api/v1/vote", json=body, headers=brought)
            assert answer.status_code == status
        assert (await http.post("/en/vote", data=ballot(elector))).status_code == 409
        await http.get(f"/api/v1/results/{elector.nas}")

    spans = collector.spans()
    requests = {span.span_id: span for span in spans if not span.parent_span_id}
    decisions = [span for span in spans if span.parent_span_id]
    answered = [
        (span.name, attributes(span)["http.response.status_code"]) for span in requests.values()
    ]
    assert sorted(answered) == [
        ("POST /api/v1/vote", 202),
        ("POST /api/v1/vote", 400),
        ("POST /api/v1/vote", 403),
        ("POST /api/v1/vote", 409),
        ("POST /en/vote", 409),
    ]  # fmt: skip
    assert {span.name for span in decisions} == {"decide"}
    assert all(span.parent_span_id in requests for span in decisions)
    outcomes = [attributes(span) for span in decisions]
    assert [outcome.get("scrutin.decision") for outcome in outcomes].count("duplicate") == 2
    assert {"error.type": "FieldError"} in outcomes
    assert {key for span in spans for key in attributes(span)} <= ATTRIBUTES
    assert not [span for span in spans if span.events or span.status.message]
    assert bytes.fromhex(TRACE_ID) not in {span.trace_id for span in spans}
    hashed = ballot_hash(*elector)
    for secret in (elector.nas, elector.code, request_id, hashed.hex()):
        assert all(secret.encode() not in body for body in collector.bodies)
    assert all(hashed not in body for body in collector.bodies)


def test_nothing_of_it_is_loaded_unless_it_is_asked_for() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, edge.serve; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "edge.tracing" in loaded
    # redis-py loads OpenTelemetry's metrics, where they are installed, for purposes of its own
    for module in ("edge.traced", "opentelemetry.sdk.trace", "opentelemetry.exporter"):
        assert module not in loaded
    assert not wanted({})
    assert not wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": ""})
    assert wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://there"})
    assert not wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"})


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edge.traced", None)
    with pytest.raises(StartError, match=r"install scrutin\[otel\]"), tracing({}):
        pass


def test_a_hundredth_is_traced_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = make_provider({})
    assert provider.sampler.get_description() == "TraceIdRatioBased{0.01}"
    assert provider.resource.attributes["service.name"] == "scrutin-edge"
    provider.shutdown()
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    provider = make_provider({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_SERVICE_NAME": "mine"})
    assert provider.sampler.get_description() == "TraceIdRatioBased{0.5}"
    assert provider.resource.attributes["service.name"] == "mine"
    provider.shutdown()
