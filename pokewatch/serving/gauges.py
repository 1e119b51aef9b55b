"""The gauges that describe the served books and the latest monitoring runs, by market.

They are built for every scrape instead of being set, so that after a reload no label of the
previous book remains.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import NamedTuple

import numpy as np
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from pokewatch.decision import SIGNALS, decide
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.monitoring_figures import MonitoringFigures
from pokewatch.valuation.book import STATUSES, PriceBook
from pokewatch.valuation.signals import configured_thresholds

Samples = Iterable[tuple[Sequence[str], float]]


class GaugeSpec(NamedTuple):
    """A gauge and the function that returns its samples for a loaded book."""

    name: str
    documentation: str
    labels: Sequence[str]
    samples: Callable[[LoadedBook], Samples]


def day_timestamp(day: date) -> float:
    """Return midnight (UTC) at the start of a market day, in seconds since 1970."""
    return datetime.combine(day, time(), UTC).timestamp()


def status_shares(book: PriceBook) -> dict[str, float]:
    """Return, for every status, the share of the book's cards that have it on the last day."""
    latest = book.latest().status
    return {status: float(np.mean(latest == status)) if len(latest) else 0.0 for status in STATUSES}


def signal_shares(book: PriceBook) -> dict[str, float]:
    """Return the share of each signal among the cards valued on the last day.

    Empty if no card is valued.
    """
    latest = book.latest()
    valued = (latest.status == "ok") & (latest.market > 0)
    if not valued.any():
        return {}
    signals = decide(
        latest.market[valued],
        latest.fair[valued],
        thresholds=configured_thresholds(),
        on_fault="hold",
    ).signal
    return {signal: float(np.mean(signals == signal)) for signal in SIGNALS}


_BOOK_GAUGES = (
    GaugeSpec(
        "pokewatch_model_info",
        "1 for the model version and data version being served, given as labels.",
        ("model_version", "data_version", "model", "source"),
        lambda loaded: [(_model_labels(loaded), 1.0)],
    ),
    GaugeSpec(
        "pokewatch_book_created_timestamp_seconds",
        "When the pipeline created the served price book.",
        (),
        lambda loaded: [((), loaded.book.facts.created_at.timestamp())],
    ),
    GaugeSpec(
        "pokewatch_book_last_day_timestamp_seconds",
        "Start (UTC) of the book's last market day, whose prices are complete 24 hours later.",
        (),
        lambda loaded: [((), day_timestamp(loaded.book.last_day))],
    ),
    GaugeSpec(
        "pokewatch_book_cards",
        "Cards in the served book.",
        (),
        lambda loaded: [((), float(len(loaded.book.cards)))],
    ),
    GaugeSpec(
        "pokewatch_book_status_ratio",
        "Share of the book's cards with each status on its last day.",
        ("status",),
        lambda loaded: _by_label(status_shares(loaded.book)),
    ),
    GaugeSpec(
        "pokewatch_book_signal_ratio",
        "Share of each signal among the cards valued on the book's last day, at market prices.",
        ("signal",),
        lambda loaded: _by_label(signal_shares(loaded.book)),
    ),
    GaugeSpec(
        "pokewatch_evaluation",
        "Walk-forward evaluation figures of the served model, from the book's manifest.",
        ("metric",),
        lambda loaded: _by_label(loaded.book.facts.metrics),
    ),
)


def book_gauges(books: Mapping[str, LoadedBook]) -> list[Metric]:
    """Return the gauges of the served books, by the id of their market."""
    return [
        _gauge(
            spec.name,
            spec.documentation,
            spec.labels,
            {market: spec.samples(loaded) for market, loaded in books.items()},
        )
        for spec in _BOOK_GAUGES
    ]


def monitoring_gauges(latest: Mapping[str, MonitoringFigures]) -> list[Metric]:
    """Return the gauges of the latest monitoring run of each market."""
    return [
        _gauge(
            "pokewatch_monitoring",
            "Figures of the latest monitoring run: past forecasts against actual prices.",
            ("metric",),
            {market: _by_label(found.figures) for market, found in latest.items()},
        ),
        _gauge(
            "pokewatch_monitoring_day_timestamp_seconds",
            "Midnight (UTC) at the start of the last market day covered by the monitoring run.",
            (),
            {market: [((), day_timestamp(found.measured_on))] for market, found in latest.items()},
        ),
    ]


def _model_labels(loaded: LoadedBook) -> Sequence[str]:
    facts = loaded.book.facts
    return (loaded.model_version, loaded.data_version, facts.model, facts.source)


def _by_label(values: Mapping[str, float]) -> Samples:
    return (((label,), value) for label, value in values.items())


def _gauge(
    name: str, documentation: str, labels: Sequence[str], samples: Mapping[str, Samples]
) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["market", *labels])
    for market, each in samples.items():
        for values, value in each:
            family.add_metric([market, *values], value)
    return family
