"""Prometheus metrics of the runtimes.

They are registered in prometheus_client's default registry, because MLServer's own
`mlserver.register` exports nothing with `parallel_workers` at 0 (SeldonIO/MLServer#1151).

With worker processes MLServer exports what prometheus_client shares through files: counters,
histograms and plain gauges, but no collector and no removal of labels
(prometheus/client_python#720). The gauges of the served book are therefore exported only with
`parallel_workers` at 0, the setting that PokeWatch ships. Only the runtimes may import this module:
MLServer selects the storage just before it loads them.
"""

import time
from collections.abc import Iterable, Sequence

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from pokewatch.contract import INVALID_PRICE, STATUSES, UNKNOWN_DATE
from pokewatch.decision import SIGNALS
from pokewatch.serving.gauges import book_gauges, monitoring_gauges
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.monitoring_figures import MonitoringFigures, MonitoringFile, newest
from pokewatch.settings import Home

MODELS = ("fair-price", "decision")
OUTCOMES = ("served", "refused")

ROWS = Counter("pokewatch_rows", "Rows valued by fair-price, by status.", ["status"])
DECISIONS = Counter("pokewatch_decisions", "Rows decided by decision, by signal.", ["signal"])
REFUSED = Counter("pokewatch_refused_requests", "Malformed requests, by model.", ["model"])
SECONDS = Histogram(
    "pokewatch_request_seconds",
    "Time spent in the runtime, by model.",
    ["model"],
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0),
)
LOADS = Counter(
    "pokewatch_book_loads",
    "Loads of a price book: served, or refused while the previous book stayed in service.",
    ["outcome"],
)
STARTED = Gauge(
    "pokewatch_runtime_start_time_seconds",
    "When the process of the runtimes started; the latest of several.",
    multiprocess_mode="livemax",
)

# Creating every series at 0 keeps the first increment visible to `rate` and `increase`.
_ROWS_BY_STATUS = {
    status: ROWS.labels(status) for status in (*STATUSES, UNKNOWN_DATE, INVALID_PRICE)
}
_ZEROES = (
    *(DECISIONS.labels(signal) for signal in SIGNALS),
    *(REFUSED.labels(model) for model in MODELS),
    *(LOADS.labels(outcome) for outcome in OUTCOMES),
)
STARTED.set(time.time())


class BookCollector(Collector):
    """The gauges of the served book and of the latest monitoring run."""

    def __init__(self) -> None:
        self._gauges: Sequence[Metric] = book_gauges(None)
        self._monitoring: MonitoringFigures | None = None
        self._file: MonitoringFile | None = None

    def collect(self) -> Iterable[Metric]:
        from_file = self._file.current() if self._file else None
        return [*self._gauges, *monitoring_gauges(newest(from_file, self._monitoring))]

    def publish(self, loaded: LoadedBook) -> None:
        """Replace the gauges by those of `loaded`. Takes milliseconds: every card is decided."""
        self._gauges = book_gauges(loaded)
        self._monitoring = loaded.monitoring
        if self._file is None:
            self._file = MonitoringFile(Home.read().monitoring / "latest.json")


BOOK = BookCollector()
REGISTRY.register(BOOK)


def count_row_status(status: str, rows: int) -> None:
    """Count valued rows of one status."""
    _ROWS_BY_STATUS[status].inc(rows)
