"""Metrics for Prometheus, at /metrics."""

from __future__ import annotations

import os
import time
from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # the Prometheus client's variable for the folder where processes share metrics
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class Metrics:
    """The metrics of one server, including all its processes."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._shared = SHARED in os.environ
        if not self._shared:
            ProcessCollector(registry=self._registry)
        counter = partial(Counter, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry, buckets=SECONDS)
        gauge = partial(Gauge, registry=self._registry, multiprocess_mode="mostrecent")
        self.requests = counter("lookalike_requests", "Requests answered", ["method", "route", "status"])
        self.seconds = histogram("lookalike_request_seconds", "Time to answer", ["route"])
        self.search_seconds = histogram("lookalike_search_seconds", "Time to search, from code to hits")
        self.deaths = counter("lookalike_decoder_deaths", "Decoding processes that ended", ["why"])
        self.images = gauge("lookalike_images", "Findable images")
        self.fresh = gauge("lookalike_index_fresh", "1 if searches see the newest codes")

    def response(self) -> Response:
        """All metrics as text."""
        registry = self._registry
        if self._shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class MetricsMiddleware:
    """Counts and times the requests of an application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 0, time.perf_counter()

        async def recorded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, recorded)
        finally:
            route = getattr(scope.get("route"), "path", "other")  # with {id} in place of each id
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
