"""Figures for Prometheus: requests, latencies and points posted of this server, the depths of inbox and outbox.

With several workers each keeps its figures in files of a folder that PROMETHEUS_MULTIPROC_DIR names, and whichever is
asked adds them up.
"""

import json
import os
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from loyalty.api.events import Outcome
from loyalty.api.work import in_transaction
from loyalty.db import inbox
from loyalty.errors import ConfigurationError, LoyaltyError

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

disable_created_metrics()  # type: ignore[no-untyped-call]
_requests = Counter("loyalty_http_requests", "Requests answered", ["method", "route", "status"])
_seconds = Histogram("loyalty_http_request_seconds", "Time to answer", ["method", "route"], buckets=_BOUNDS)
_points = Counter("loyalty_points_posted", "Points posted or taken by requests", ["kind"])

router = APIRouter()


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request."""
    method = method if method in _METHODS else "other"
    _requests.labels(method, route, str(status)).inc()
    _seconds.labels(method, route).observe(seconds)


def points_posted(kind: str, points: int) -> None:
    """Count points that a purchase, refund, redemption or its undoing moved, without their sign."""
    if points:
        _points.labels(kind).inc(abs(points))


def points_of_event(kind: str, outcome: Outcome) -> None:
    """Count what an event posted that was applied just now, and what those posted that had waited for it."""
    if outcome.first and outcome.answer is not None:
        points_of_waiting(((kind, outcome.answer),))
    points_of_waiting(outcome.along)


def points_of_waiting(applied: Iterable[tuple[str, str]]) -> None:
    """Count what events posted, by the kind and answer of each."""
    for kind, answer in applied:
        points_posted(kind, json.loads(answer)["points_posted"])


@router.get("/metrics", include_in_schema=False)
def metrics() -> Response:
    """All figures, as Prometheus reads them."""
    if FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry = REGISTRY
    waiting = CollectorRegistry()
    waiting.register(_Depths())
    return Response(generate_latest(registry) + generate_latest(waiting), media_type=CONTENT_TYPE_LATEST)


class _Depths(Collector):
    """What waits in the database; without one there are no such figures, and the others still tell."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask the database."""
        try:
            found = in_transaction(inbox.depths)
        except (LoyaltyError, ConfigurationError):
            return
        events = GaugeMetricFamily("loyalty_inbox_events", "Events that are not applied", labels=["state"])
        for state in ("waiting", "dead"):
            events.add_metric([state], found[state])
        yield events
        yield GaugeMetricFamily("loyalty_outbox_messages", "Messages that wait to be sent", value=found["outbox"])
