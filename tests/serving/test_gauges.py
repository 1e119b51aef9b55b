from datetime import date
from pathlib import Path

import pytest
from prometheus_client import Metric

from pokewatch.serving.gauges import book_gauges, monitoring_gauges, signal_shares, status_shares
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.monitoring_figures import MonitoringFigures
from pokewatch.serving.record_reader import RecordReader
from pokewatch.valuation.book import PriceBook
from tests.serving.books import make_book


def _loaded_book(folder: Path, scale: float = 1.0, count: int = 40) -> LoadedBook:
    digest = make_book(folder, count, scale=scale)
    return LoadedBook(PriceBook.open(folder, digest), "7", "dv-1", "run-1", RecordReader(folder))


def _samples(metrics: list[Metric]) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def test_gauges_of_a_loaded_book(tmp_path: Path) -> None:
    found = _samples(book_gauges({"simulated-0": _loaded_book(tmp_path / "book")}))
    market = "simulated-0"
    assert found["pokewatch_model_info", (market, "7", "dv-1", "local_level", "simulated")] == 1.0
    assert found["pokewatch_book_cards", (market,)] == 40.0
    assert found["pokewatch_book_last_day_timestamp_seconds", (market,)] == 1767571200.0
    assert found["pokewatch_evaluation", (market, "mape")] == 4.2


def test_every_market_has_its_own_gauges(tmp_path: Path) -> None:
    books = {
        "a": _loaded_book(tmp_path / "a"),
        "b": _loaded_book(tmp_path / "b", scale=2.0, count=30),
    }
    found = _samples(book_gauges(books))
    assert [found["pokewatch_book_cards", (market,)] for market in books] == [40.0, 30.0]
    assert found["pokewatch_book_signal_ratio", ("a", "HOLD")] == 1.0
    assert found["pokewatch_book_signal_ratio", ("b", "BUY")] == 1.0


def test_without_a_book_there_are_names_but_no_samples() -> None:
    metrics = book_gauges({})
    assert len(metrics) == 7
    assert _samples(metrics) == {}


@pytest.mark.parametrize(("scale", "signal"), [(1.0, "HOLD"), (2.0, "BUY"), (0.5, "SELL")])
def test_signal_shares_of_the_valued_cards(scale: float, signal: str, tmp_path: Path) -> None:
    shares = signal_shares(_loaded_book(tmp_path / "book", scale).book)
    assert shares == {"BUY": 0.0, "SELL": 0.0, "HOLD": 0.0, signal: 1.0}


def test_signal_shares_follow_the_configured_thresholds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = _loaded_book(tmp_path / "book", 1.05).book
    assert signal_shares(book)["HOLD"] == 1.0
    monkeypatch.setenv("POKEWATCH_BUY_THRESHOLD_PCT", "-0.01")
    assert signal_shares(book)["BUY"] == 1.0


def test_status_shares_add_up_to_one(tmp_path: Path) -> None:
    shares = status_shares(_loaded_book(tmp_path / "book").book)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["thin_history"] == 1 / 40


def test_gauges_of_a_monitoring_run() -> None:
    figures = MonitoringFigures(date(2026, 3, 2), {"coverage_90": 0.84})
    assert _samples(monitoring_gauges({"a": figures})) == {
        ("pokewatch_monitoring", ("a", "coverage_90")): 0.84,
        ("pokewatch_monitoring_day_timestamp_seconds", ("a",)): 1772409600.0,
    }
    assert _samples(monitoring_gauges({})) == {}
