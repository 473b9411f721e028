"""What Prometheus reads at ``/metrics``."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["MEDIA_TYPE", "Measured", "Metrics"]

HUNG_UP = 499
"""Counted where a client is gone before it was answered: no status that anyone is sent, and no fault of the service."""
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One service's own registry: two services in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("germane_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry)
        bounds = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
        self.seconds = Histogram("germane_request_seconds", "Time to the end of the answer.", ["route"], buckets=bounds, registry=self.registry)
        self.running = Gauge("germane_requests_running", "Requests being answered.", registry=self.registry)
        self.slates = Counter("germane_slates", "Slates answered and logged.", registry=self.registry)
        self.notes = Counter("germane_notes", "Notes on slates.", ["code"], registry=self.registry)
        self.events = Counter("germane_events", "Events taken in.", ["outcome"], registry=self.registry)
        self.rewards = Counter("germane_rewards", "Rewards taken in.", ["outcome"], registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class Measured:
    """ASGI: counts and times every answer, by the route's template, so that ids never become labels."""

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status, answered = 500, False

        async def heard() -> Any:
            nonlocal status
            message = await receive()
            if message["type"] == "http.disconnect" and not answered:
                status = HUNG_UP
            return message

        async def watched(message: Any) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start" and status != HUNG_UP:
                status, answered = message["status"], True
            await send(message)

        self.metrics.running.inc()
        try:
            await self.app(scope, heard, watched)
        finally:
            self.metrics.running.dec()
            route = scope.get("path_template") or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - began)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
