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
from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from pokewatch.contract import INVALID_PRICE, STATUSES, UNKNOWN_DATE, market_of_model
from pokewatch.decision import SIGNALS
from pokewatch.serving.gauges import book_gauges, monitoring_gauges
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.monitoring_figures import MonitoringFile, figures_file, newest

MODELS = ("fair-price", "decision")
OUTCOMES = ("served", "refused")
_ROW_STATUSES = (*STATUSES, UNKNOWN_DATE, INVALID_PRICE)

ROWS = Counter("pokewatch_rows", "Rows valued, by market and status.", ["market", "status"])
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
_DECISIONS = {signal: DECISIONS.labels(signal) for signal in SIGNALS}
_ZEROES = (
    *(REFUSED.labels(model) for model in MODELS),
    *(LOADS.labels(outcome) for outcome in OUTCOMES),
)
STARTED.set(time.time())


class BookCollector(Collector):
    """The gauges of the served book of each model, and of the latest monitoring runs."""

    def __init__(self) -> None:
        self._books: dict[str, LoadedBook] = {}  # by model
        self._gauges: Sequence[Metric] = book_gauges({})
        self._files: dict[str, MonitoringFile] = {}

    def collect(self) -> Iterable[Metric]:
        found = {
            loaded.book.facts.market: newest(self._files[model].current(), loaded.monitoring)
            for model, loaded in sorted(self._books.items())
        }
        latest = {market: figures for market, figures in found.items() if figures is not None}
        return [*self._gauges, *monitoring_gauges(latest)]

    def publish(self, model: str, loaded: LoadedBook) -> None:
        """Replace the gauges of a model. Takes milliseconds: every card is decided."""
        self._books = {**self._books, model: loaded}
        self._files.setdefault(model, MonitoringFile(figures_file(market_of_model(model))))
        by_market = {each.book.facts.market: each for _, each in sorted(self._books.items())}
        self._gauges = book_gauges(by_market)


BOOK = BookCollector()
REGISTRY.register(BOOK)


@cache  # a market is that of a served book, so there are few
def _rows(market: str) -> dict[str, Counter]:
    return {status: ROWS.labels(market, status) for status in _ROW_STATUSES}


def begin_rows(market: str) -> None:
    """Create the series of the rows of a market, at 0."""
    _rows(market)


def count_decisions(signals: Sequence[str]) -> None:
    """Count rows by the signals decided on."""
    for signal in set(signals):
        _DECISIONS[signal].inc(signals.count(signal))


def count_rows(market: str, statuses: Sequence[str]) -> None:
    """Count the valued rows of a market by their statuses."""
    counters = _rows(market)
    for status in set(statuses):
        counters[status].inc(statuses.count(status))
