"""Whether votes are traced: only where OpenTelemetry's own variables say whereto.

Otherwise the classes that trace are not even loaded, and no code of theirs is on a vote's way.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from edge.app import EdgeApp
from edge.errors import StartError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def wanted(env: Mapping[str, str]) -> bool:
    """Say whether the environment names a collector, and does not turn it off."""
    off = env.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(env.get(name) for name in ENDPOINTS)


@contextmanager
def tracing(env: Mapping[str, str]) -> Iterator[Callable[..., EdgeApp]]:
    """Yield what makes an edge that traces; the last spans are sent at the end.

    Raises `StartError` when the packages are missing.
    """
    try:
        from edge.traced import TracedApp, make_provider
    except ImportError as error:
        raise StartError(
            f"{ENDPOINTS[0]} asks for traces, which need more packages: install scrutin[otel], "
            "or unset it"
        ) from error
    provider = make_provider(env)
    tracer = provider.get_tracer("scrutin")

    try:
        yield partial(TracedApp, tracer)
    finally:
        provider.shutdown()
