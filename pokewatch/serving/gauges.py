"""Gauges that come and go with the edition served: after a reload nothing of the one before is left.

The gauges of prometheus_client cannot forget a label set in the files by which MLServer's worker processes share their metrics.
So these are made anew at each scrape and, by a worker, written as a whole file of its own that replaces the last one.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.registry import Collector

from pokewatch.decision import SIGNALS, Thresholds, decide
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.measured import Measured
from pokewatch.settings import DecisionSettings
from pokewatch.valuation.book import STATUSES, PriceBook

_REFRESH_SECONDS = 5.0
# The file's name says how the values of several workers are joined: the least of them, the oldest book and the lowest coverage.
_FILE = "gauge_livemin_{pid}.db"

Samples = Iterable[tuple[Sequence[str], float]]


def day_timestamp(day: date) -> float:
    """Midnight (UTC), with which the market day begins, in seconds since 1970."""
    return datetime.combine(day, time(), UTC).timestamp()


def book_gauges(edition: LoadedBook | None) -> list[Metric]:
    """What is known of the edition served, no sample where there is none."""
    known = [] if edition is None else [edition]
    return [
        _gauge(
            "pokewatch_model_info",
            "1 for the model and data version that this server serves, which the labels name.",
            ("model_version", "data_version", "model", "source"),
            (
                (
                    (
                        each.model_version,
                        each.data_version,
                        each.book.facts.model,
                        each.book.facts.source,
                    ),
                    1.0,
                )
                for each in known
            ),
        ),
        _gauge(
            "pokewatch_book_created_timestamp_seconds",
            "When the pipeline made the served price book.",
            (),
            (((), each.book.facts.created_at.timestamp()) for each in known),
        ),
        _gauge(
            "pokewatch_book_last_day_timestamp_seconds",
            "Midnight (UTC) with which the book's newest market day began; its prices are complete a day later.",
            (),
            (((), day_timestamp(each.book.last_day)) for each in known),
        ),
        _gauge(
            "pokewatch_book_cards",
            "Cards in the served book.",
            (),
            (((), float(len(each.book.cards))) for each in known),
        ),
        _gauge(
            "pokewatch_book_status_ratio",
            "Share of the book's cards with each status on its newest day.",
            ("status",),
            (
                ((status,), share)
                for each in known
                for status, share in status_shares(each.book).items()
            ),
        ),
        _gauge(
            "pokewatch_book_signal_ratio",
            "Share of the cards valued on the book's newest day that get each signal at their market price.",
            ("signal",),
            (
                ((signal,), share)
                for each in known
                for signal, share in signal_shares(each.book).items()
            ),
        ),
        _gauge(
            "pokewatch_evaluation",
            "Figures of the served model's walk-forward evaluation, from the book's manifest.",
            ("metric",),
            (((name,), value) for each in known for name, value in each.book.facts.metrics.items()),
        ),
    ]


def measured_gauges(measured: Measured | None) -> list[Metric]:
    """What the monitoring flow last measured of the model's past answers, no sample where it never ran."""
    known = [] if measured is None else [measured]
    return [
        _gauge(
            "pokewatch_monitoring",
            "Figures of the daily look back: what was predicted against what came.",
            ("metric",),
            (((name,), value) for each in known for name, value in each.figures.items()),
        ),
        _gauge(
            "pokewatch_monitoring_day_timestamp_seconds",
            "Midnight (UTC) of the market day up to which the look back was made.",
            (),
            (((), day_timestamp(each.measured_on)) for each in known),
        ),
    ]


def status_shares(book: PriceBook) -> dict[str, float]:
    """Of every status, the share of the book's cards on its newest day."""
    latest = book.latest().status
    return {status: float(np.mean(latest == status)) if len(latest) else 0.0 for status in STATUSES}


def signal_shares(book: PriceBook) -> dict[str, float]:
    """Of BUY, SELL and HOLD, the share among the cards valued on the newest day; nothing where no card is."""
    latest, usual = book.latest(), DecisionSettings.read()
    valued = (latest.status == "ok") & (latest.market > 0)
    if not valued.any():
        return {}
    thresholds = Thresholds(usual.buy_threshold_pct, usual.sell_threshold_pct)
    signals = decide(
        latest.market[valued], latest.fair[valued], thresholds=thresholds, on_fault="hold"
    ).signal
    return {signal: float(np.mean(signals == signal)) for signal in SIGNALS}


class PublishedGauges(Collector):
    """The metrics that `tell` gives, in the registry of a server without workers and in a file for those of one with."""

    def __init__(self, tell: Callable[[], Sequence[Metric]]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None

    def collect(self) -> Iterable[Metric]:
        return self._tell()

    def changed(self) -> None:
        """To be called after a change: a worker's file says so from then on."""
        if folder := _shared_folder():
            self._write(folder)

    def keep_fresh(self) -> None:
        """Have a worker's file follow what changes by itself, as long as the process lives."""
        if (folder := _shared_folder()) and self._writer is None:
            self._writer = threading.Thread(
                target=self._rewrite, args=(folder,), name="pokewatch-gauges", daemon=True
            )
            self._writer.start()

    def _rewrite(self, folder: Path) -> None:
        pause = threading.Event()
        while not pause.wait(_REFRESH_SECONDS):
            self._write(folder)

    def _write(self, folder: Path) -> None:
        target = folder / _FILE.format(pid=os.getpid())
        with self._lock:
            written = target.with_suffix(".new")
            written.unlink(missing_ok=True)
            values: Any = MmapedDict(str(written))  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
            for metric in self._tell():
                for sample in metric.samples:
                    key = mmap_key(
                        metric.name,
                        sample.name,
                        list(sample.labels),
                        list(sample.labels.values()),
                        metric.documentation,
                    )
                    values.write_value(key, sample.value, 0.0)
            values.close()
            written.replace(target)


def _shared_folder() -> Path | None:
    """Where the processes of a server with workers keep their metrics; None for a server without."""
    found = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(found) if found else None


def _gauge(name: str, documentation: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
