"""An edge that traces votes: a span for the request, and one in it for the roll's decision.

Spans tell times and outcomes. They hold no request id, so that none can be matched with a ballot,
and no exception's text, which might quote a request.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from edge.app import EdgeApp
from edge.backend import Backend
from edge.draining import DrainState
from edge.metrics import VOTE_ROUTE, EdgeMetrics
from edge.settings import Settings
from edge.voting import VotingDesk
from edge.wire import Message, Receive, Scope, Send
from hashgen import VERSION
from shards.roll import Cast

SAMPLED_SHARE = 0.01
TRACED_PATHS = frozenset({VOTE_ROUTE, "/fr/vote", "/en/vote"})


def make_provider(env: Mapping[str, str]) -> TracerProvider:
    """Return the source of tracers; whereto and how much is OpenTelemetry's variables' to say.

    Without OTEL_TRACES_SAMPLER a hundredth of the votes is traced.
    """
    resource = Resource.create(
        {
            "service.name": env.get("OTEL_SERVICE_NAME") or "scrutin-edge",
            "service.version": VERSION,
        }
    )
    sampler = None if env.get("OTEL_TRACES_SAMPLER") else TraceIdRatioBased(SAMPLED_SHARE)
    provider = TracerProvider(sampler=sampler, resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class TracedDesk(VotingDesk):
    """A desk whose decisions are spans."""

    def __init__(self, tracer: Tracer, *arguments: Any) -> None:  # noqa: ANN401 (those of VotingDesk)
        super().__init__(*arguments)
        self._tracer = tracer

    async def cast(self, nas: str, code: str, law_id: str, vote: str, request_id: UUID) -> Cast:
        """Decide a vote."""
        with self._tracer.start_as_current_span(
            "decide", record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                cast = await super().cast(nas, code, law_id, vote, request_id)
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise
            span.set_attribute("scrutin.decision", cast.status)
            return cast


class TracedApp(EdgeApp):
    """An edge whose votes are spans."""

    def __init__(
        self,
        tracer: Tracer,
        settings: Settings,
        backend: Backend,
        metrics: EdgeMetrics,
        drain_state: Callable[[], DrainState | None],
    ) -> None:
        super().__init__(settings, backend, metrics, drain_state, partial(TracedDesk, tracer))
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path, method = scope["path"], scope["method"]
        if path not in TRACED_PATHS or method != "POST":
            await super().__call__(scope, receive, send)
            return
        # The sender's own trace context is not taken over: whoever votes could have all votes
        # sampled, or all of one's own marked.
        with self._tracer.start_as_current_span(
            f"POST {path}",
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": path},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            await super().__call__(scope, receive, partial(_send, span, send))


async def _send(span: Span, send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        status = message["status"]
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
    await send(message)
