import os
from datetime import date
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from pokewatch.serving.gauges import (
    PublishedGauges,
    book_gauges,
    measured_gauges,
    signal_shares,
    status_shares,
)
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.measured import Measured
from pokewatch.valuation.book import PriceBook
from tests.serving.books import make_book


def _edition(folder: Path, scale: float = 1.0, count: int = 40) -> LoadedBook:
    digest = make_book(folder, count, scale=scale)
    return LoadedBook(PriceBook.open(folder, digest), "7", "dv-1", "run-1")


def _samples(metrics: list[Metric]) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def test_an_edition_is_told_in_full(tmp_path: Path) -> None:
    found = _samples(book_gauges(_edition(tmp_path / "book")))
    assert found["pokewatch_model_info", ("7", "dv-1", "local_level", "simulated")] == 1.0
    assert found["pokewatch_book_cards", ()] == 40.0
    assert found["pokewatch_book_last_day_timestamp_seconds", ()] == 1767571200.0
    assert found["pokewatch_evaluation", ("mape",)] == 4.2


def test_without_an_edition_the_names_are_there_and_no_sample() -> None:
    metrics = book_gauges(None)
    assert len(metrics) == 7
    assert _samples(metrics) == {}


@pytest.mark.parametrize(("scale", "signal"), [(1.0, "HOLD"), (2.0, "BUY"), (0.5, "SELL")])
def test_the_mix_of_signals_is_that_of_the_cards_valued(
    scale: float, signal: str, tmp_path: Path
) -> None:
    shares = signal_shares(_edition(tmp_path / "book", scale).book)
    assert shares == {"BUY": 0.0, "SELL": 0.0, "HOLD": 0.0, signal: 1.0}


def test_the_mix_follows_the_thresholds_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = _edition(tmp_path / "book", 1.05).book
    assert signal_shares(book)["HOLD"] == 1.0
    monkeypatch.setenv("POKEWATCH_BUY_THRESHOLD_PCT", "-0.01")
    assert signal_shares(book)["BUY"] == 1.0


def test_shares_of_statuses_add_up_to_one(tmp_path: Path) -> None:
    shares = status_shares(_edition(tmp_path / "book").book)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["thin_history"] == 1 / 40


def test_what_was_measured_is_told_by_name() -> None:
    found = _samples(measured_gauges(Measured(date(2026, 3, 2), {"coverage_90": 0.84})))
    assert found == {
        ("pokewatch_monitoring", ("coverage_90",)): 0.84,
        ("pokewatch_monitoring_day_timestamp_seconds", ()): 1772409600.0,
    }
    assert _samples(measured_gauges(None)) == {}


def _shown(folder: Path) -> list[str]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return [
        line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")
    ]


def _versions(*versions: str) -> list[Metric]:
    family = GaugeMetricFamily("version_info", "A version.", labels=("version",))
    for version in versions:
        family.add_metric((version,), 1.0)
    return [family]


def test_a_worker_leaves_nothing_of_the_former_edition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    told = _versions("7")
    gauges = PublishedGauges(lambda: told)
    gauges.changed()
    assert _shown(tmp_path) == ['version_info{version="7"} 1.0']
    told = _versions("8")
    gauges.changed()
    assert _shown(tmp_path) == ['version_info{version="8"} 1.0']
    assert [path.name for path in tmp_path.iterdir()] == [f"gauge_livemin_{os.getpid()}.db"]


def test_workers_on_different_editions_both_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    PublishedGauges(lambda: _versions("7")).changed()
    (tmp_path / f"gauge_livemin_{os.getpid()}.db").rename(tmp_path / "gauge_livemin_1.db")
    PublishedGauges(lambda: _versions("8")).changed()
    assert sorted(_shown(tmp_path)) == [
        'version_info{version="7"} 1.0',
        'version_info{version="8"} 1.0',
    ]


def test_without_workers_no_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    PublishedGauges(lambda: _versions("7")).changed()
    assert list(tmp_path.iterdir()) == []
