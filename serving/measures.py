"""What the server counts, for Prometheus. No label holds an id: routes are templates, versions are releases."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from features.history import day_number
from models.bundle import BundleKind
from serving.messages import EventsAnswer, RecommendationAnswer
from serving.released import Opened

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Measures:
    """The counters of one process; with several workers `text` adds up those of all (PROMETHEUS_MULTIPROC_DIR)."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "onebasket_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "onebasket_http_request_duration_seconds", "Time to the end of the answer", ["method", "route"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.lists = Counter(
            "onebasket_recommendation_lists", "Lists answered, and the fallback that filled them up",
            ["surface", "fallback"], registry=registry,
        )  # fmt: skip
        self.events = Counter("onebasket_events", "Events received", ["outcome"], registry=registry)
        self.opened = Counter("onebasket_bundles_opened", "Releases picked up", ["kind"], registry=registry)
        self.failed = Counter(
            "onebasket_bundle_failures", "Tries to open a release that failed", ["kind"], registry=registry
        )
        self.as_of = Gauge(
            "onebasket_bundle_as_of_timestamp_seconds", "Start of the last day that the open bundle has read", ["kind"],
            registry=registry, multiprocess_mode="mostrecent",
        )  # fmt: skip
        self.since = Gauge(
            "onebasket_bundle_released_timestamp_seconds", "When the open bundle was released", ["kind"],
            registry=registry, multiprocess_mode="mostrecent",
        )  # fmt: skip

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def recommended(self, answer: RecommendationAnswer) -> None:
        self.lists.labels(answer.surface, answer.fallback or "none").inc()

    def received(self, answer: EventsAnswer) -> None:
        for outcome, number in (("accepted", answer.accepted), ("duplicate", answer.duplicates),
                                ("rejected", answer.rejected)):  # fmt: skip
            self.events.labels(outcome).inc(number)

    def bundle_opened(self, opened: Opened) -> None:
        kind, as_of = opened.bundle.kind, opened.bundle.as_of
        self.opened.labels(kind).inc()
        self.as_of.labels(kind).set(day_number(as_of) * 86400)
        self.since.labels(kind).set(opened.since.timestamp())

    def bundle_failed(self, kind: BundleKind) -> None:
        self.failed.labels(kind).inc()

    def text(self) -> bytes:
        """Everything, in the Prometheus text format."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # prometheus_client leaves it so
        return generate_latest(together)
