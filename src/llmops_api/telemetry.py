"""Every metric of the service: its name, its labels and its buckets.

The `gen_ai` names are those of OpenTelemetry's semantic conventions 1.41, `http_server` those of its stable HTTP
conventions, both in Prometheus spelling. No label ever holds a player, a save, a session or a key.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Histogram

REGISTRY = CollectorRegistry()

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**power) for power in range(14))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")

OPERATION_DURATION = Histogram(
    "gen_ai_client_operation_duration_seconds",
    "How long a call of a model took; error_type is empty when it went well.",
    (*_GEN_AI, "error_type"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
TIME_TO_FIRST_CHUNK = Histogram(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "How long a streamed call of a model took until its first text.",
    _GEN_AI,
    buckets=_SECONDS,
    registry=REGISTRY,
)
TOKEN_USAGE = Histogram(
    "gen_ai_client_token_usage",
    "Tokens of a call of a model, by gen_ai_token_type: input or output.",
    (*_GEN_AI, "gen_ai_token_type"),
    buckets=_TOKENS,
    registry=REGISTRY,
)
HTTP_DURATION = Histogram(
    "http_server_request_duration_seconds",
    "How long the service took to answer, by route template.",
    ("http_request_method", "http_route", "http_response_status_code"),
    buckets=_HTTP_SECONDS,
    registry=REGISTRY,
)


def http_request_finished(method: str, route: str, status: int, seconds: float) -> None:
    """`route` is the template (`/v1/worlds/{world}`), never the path that was asked for."""
    labelled(HTTP_DURATION, method if method in _METHODS else "_OTHER", route, status).observe(seconds)


@cache
def labelled(metric: Histogram, *values: str | int) -> Histogram:
    """The metric with its labels, found faster than the library finds it: that takes a lock and formats every value."""
    return metric.labels(*values)
