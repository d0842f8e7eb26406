"""What the service counts, in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counters of one service. Safe to use from several threads.

    Stages: "receive" (a request's body), "queue" (a photo waits), "read" (a batch), "answer" (rows are written).
    """

    def __init__(self) -> None:
        disable_created_metrics()  # when each counter began, a line for each of them
        self._registry = CollectorRegistry()
        self.requests = Counter("signboard_requests", "Answered requests.", ("path", "status"), registry=self._registry)
        self.photos = Counter(
            "signboard_photos", "Photos by what came of them: read, empty or failed.", ("outcome",),
            registry=self._registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "signboard_stage_seconds", "Seconds by stage.", ("stage",), buckets=_SECONDS, registry=self._registry
        )
        self.batch = Histogram(
            "signboard_batch_photos", "Photos that were read together.", buckets=(1, 2, 4, 8, 16, 32),
            registry=self._registry,
        )  # fmt: skip
        self.waiting = Gauge("signboard_queue_photos", "Photos that wait to be read.", registry=self._registry)
        self.reading = Gauge("signboard_reading_photos", "Photos that are being read.", registry=self._registry)
        self.held = Gauge("signboard_held_bytes", "Bytes of requests in memory.", registry=self._registry)

    def text(self) -> bytes:
        """All of it, as `GET /v1/metrics` answers."""
        return generate_latest(self._registry)
