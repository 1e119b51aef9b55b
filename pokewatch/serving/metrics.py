"""What the runtimes tell Prometheus.

MLServer's own `mlserver.register` puts metrics into a registry that its endpoint shows only when there are worker processes:
theirs are read from files. The default registry used here is shown with and without workers. This module must be imported only
by the runtimes: with workers, MLServer chooses the kind of storage just before it loads them.
"""

import time
from collections.abc import Sequence

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric

from pokewatch.decision import SIGNALS
from pokewatch.serving.gauges import PublishedGauges, book_gauges, measured_gauges
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.measured import Measured, MeasuredFile, newest
from pokewatch.settings import Home
from pokewatch.valuation.book import STATUSES

MODELS = ("fair-price", "decision")
OUTCOMES = ("served", "refused")

ROWS = Counter("pokewatch_rows", "Rows valued by fair-price, by status.", ["status"])
DECISIONS = Counter("pokewatch_decisions", "Rows judged by decision, by signal.", ["signal"])
REFUSED = Counter("pokewatch_refused_requests", "Malformed requests, by model.", ["model"])
SECONDS = Histogram(
    "pokewatch_request_seconds",
    "Time inside the runtime, by model.",
    ["model"],
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0),
)
LOADS = Counter(
    "pokewatch_book_loads",
    "Loads of a price book: served, or refused while the old one went on serving.",
    ["outcome"],
)
STARTED = Gauge(
    "pokewatch_runtime_start_time_seconds",
    "When the process of the runtimes started, the newest of several.",
    multiprocess_mode="livemax",
)

# A series that is there from the start, at 0, loses no first count to `rate` and `increase`.
_ROWS_OF = {status: ROWS.labels(status) for status in (*STATUSES, "unknown_date", "invalid_price")}
_ZEROES = (
    *(DECISIONS.labels(signal) for signal in SIGNALS),
    *(REFUSED.labels(model) for model in MODELS),
    *(LOADS.labels(outcome) for outcome in OUTCOMES),
)
STARTED.set(time.time())


class _Served:
    """The gauges of the edition served, kept from load to load, and those of the newest look back."""

    def __init__(self) -> None:
        self.gauges: Sequence[Metric] = book_gauges(None)
        self.measured: Measured | None = None
        self.file: MeasuredFile | None = None

    def tell(self) -> Sequence[Metric]:
        return [
            *self.gauges,
            *measured_gauges(newest(self.file.current() if self.file else None, self.measured)),
        ]


_SERVED = _Served()
_TOLD = PublishedGauges(_SERVED.tell)
REGISTRY.register(_TOLD)


def rows_of(status: str) -> Counter:
    """The counter of rows with `status`."""
    return _ROWS_OF[status]


def publish_book(edition: LoadedBook) -> None:
    """Set what is known of the served edition; all that was known of the one before it goes. Judges every card: milliseconds."""
    _SERVED.gauges = book_gauges(edition)
    _SERVED.measured = edition.measured
    if _SERVED.file is None:
        _SERVED.file = MeasuredFile(Home.read().monitoring / "latest.json")
    _TOLD.changed()
    _TOLD.keep_fresh()
