"""Past forecasts against later prices, on panels and books small enough to count by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pokewatch.monitoring.calibration import (
    PastForecasts,
    calibrate,
    forecasts_on,
    interval_coverage,
)
from pokewatch.registry import DEPLOYED_AT, LAST_DAY, RegisteredModel, Registry
from pokewatch.valuation.book import BookRows, PriceBook, write_book
from pokewatch.valuation.panel import Panel
from tests.serving.books import FACTS, catalog
from tests.valuation.panels import long_table, panel_from

pytestmark = pytest.mark.integration

CARDS, DAYS = 20, 60
FIRST = np.datetime64("2025-01-06")


def day(number: int) -> date:
    return date(2025, 1, 6) + timedelta(days=number)


def prices() -> np.ndarray:
    """Card i costs i + 1 and jumps by a tenth on day 50, those after the tenth card only."""
    market = np.tile(np.arange(1.0, CARDS + 1), (DAYS, 1))
    market[50:, 10:] *= 1.1
    return market


def panel() -> Panel:
    table = long_table(prices(), start=FIRST)
    ids = [f"tcgplayer-{int(card[1:])}-normal" for card in table["card_id"].to_pylist()]
    return panel_from(table.set_column(0, "card_id", [ids]))


def book(
    folder: Path, last: int, days: int = 40, fair: float = 1.0, **facts: Any
) -> tuple[PriceBook, str]:
    """A book to day `last` with fair prices of `fair` times the price, plus or minus 5%."""
    days = min(days, last + 1)
    market = prices()[last - days + 1 : last + 1].T
    rows = BookRows(
        card_id=[f"tcgplayer-{i}-normal" for i in range(CARDS)],
        dates=FIRST + np.arange(last - days + 1, last + 1),
        market=market,
        low=market,
        fair=market * fair,
        lower=market * fair * 0.95,
        upper=market * fair * 1.05,
        status=np.zeros(market.shape, dtype=np.int8),
    )
    digest = write_book(
        folder, catalog(CARDS), rows, replace(FACTS, git_commit=folder.name, **facts)
    )
    return PriceBook.open(folder, digest), digest


def register(
    registry: Registry,
    folder: Path,
    last: int,
    deployed: str = "2025-03-01T00:00:00",
    facts: Mapping[str, Any] = {},
    **tags: str,
) -> RegisteredModel:
    _, digest = book(folder, last, **facts)
    given = {"data_version": "dv", "source": "simulated", LAST_DAY: day(last).isoformat(), **tags}
    model = registry.register(
        registry.log_run(folder, parameters={}, metrics={}, tags=given), digest
    )
    if deployed:
        registry.set_tag(model.version, DEPLOYED_AT, deployed)
    return registry.version(model.version)


def test_later_prices_are_counted(tmp_path: Path) -> None:
    opened, _ = book(tmp_path / "book", 45)
    found = calibrate(panel(), PastForecasts("1", opened, day(45), served=True), 7)
    assert found is not None
    assert (found.scores["n"], found.scores["coverage_90"], found.scores["rmae_last"]) == (
        20,
        0.5,
        pytest.approx(1.0, rel=1e-6),
    )
    assert found.scores["bias"] == pytest.approx(-np.log(1.1) / 2, rel=1e-5)
    assert sum(group["n"] for group in found.groups) == 20
    assert sum(each["n"] for each in found.reliability) == 20
    assert 0 <= (found.reliability_gap or 0) <= 1
    assert found.to_dict()["made_on"] == "2025-02-20"


def test_a_fair_price_that_was_right_beats_the_last_price(tmp_path: Path) -> None:
    opened, _ = book(tmp_path / "book", 45, fair=1.05)
    found = calibrate(panel(), PastForecasts("1", opened, day(45), served=True), 7)
    assert found is not None
    assert found.scores["bias"] == pytest.approx(np.log(1.05) - np.log(1.1) / 2, rel=1e-4)
    assert found.scores["coverage_90"] == 1.0


@pytest.mark.parametrize(("past", "lag"), [(55, 7), (45, 30)], ids=["not yet known", "long"])
def test_days_without_later_prices_are_not_judged(past: int, lag: int, tmp_path: Path) -> None:
    opened, _ = book(tmp_path / "book", past)
    assert calibrate(panel(), PastForecasts("1", opened, day(past), served=True), lag) is None


def test_prices_after_the_day_judged_change_nothing(tmp_path: Path) -> None:
    opened, _ = book(tmp_path / "book", 45)
    past = PastForecasts("1", opened, day(45), served=True)
    assert calibrate(panel(), past, 7) == calibrate(panel().up_to(52), past, 7)


@pytest.mark.slow
def test_the_champion_of_the_day_is_judged_by_the_last_day_of_its_book(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    then = register(registry, tmp_path / "then", 45)
    register(registry, tmp_path / "never-deployed", 46, deployed="")
    register(registry, tmp_path / "of another market", 46, source="tcgcsv")
    champion = register(registry, tmp_path / "now", 53)
    opened, _ = book(tmp_path / "now", 53)
    for when in (45, 46, 51):
        past = forecasts_on(registry, day(when), champion, opened)
        assert past is not None
        assert (past.version, past.day, past.served) == (then.version, day(45), True)
        assert past.book.last_day == day(45)
    newest = forecasts_on(registry, day(53), champion, opened)
    assert newest is not None
    assert newest.version == champion.version


def test_before_the_first_champion_the_current_book_is_used(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    champion = register(registry, tmp_path / "now", 53)
    opened, _ = book(tmp_path / "now", 53)
    past = forecasts_on(registry, day(30), champion, opened)
    assert past == PastForecasts(champion.version, opened, day(30), served=False)
    assert forecasts_on(registry, opened.first_day - timedelta(days=1), champion, opened) is None


@pytest.mark.parametrize("facts", [{"currency": "EUR"}, {"market": "simulated-1"}])
def test_a_champion_of_other_prices_is_not_judged(
    facts: dict[str, str], registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    register(registry, tmp_path / "then", 45, facts=facts)
    champion = register(registry, tmp_path / "now", 53)
    opened, _ = book(tmp_path / "now", 53)
    past = forecasts_on(registry, day(45), champion, opened)
    assert past == PastForecasts(champion.version, opened, day(45), served=False)


def test_coverage_is_judged_over_days_with_an_error_by_card_and_date(tmp_path: Path) -> None:
    opened, _ = book(tmp_path / "book", 52)
    days = [day(number) for number in (40, 43, 45)]
    found = interval_coverage(panel(), opened, 7, days)
    assert (found.inside, found.judged) == ((20, 10, 10), (20, 20, 20))
    assert found.share is not None
    assert found.share.value == pytest.approx(40 / 60)
    assert found.share.windows == pytest.approx((5 + 7) / 7)
    assert found.share.low < 0.5
    plain = found.to_dict()
    assert plain["share_ci"] == [0.0, 1.0], "no share is outside them"
    assert found.share.high > 1.0
    assert plain["made_on"][0] == "2025-02-15"


def test_the_coverage_of_renewed_prices_is_theirs_alone(tmp_path: Path) -> None:
    """Ten of the twenty prices jump on day 50, out of their intervals; the others stay."""
    opened, _ = book(tmp_path / "book", 52)
    found = interval_coverage(panel(), opened, 7, [day(45)])
    assert (found.inside, found.judged, found.renewed) == ((10,), (20,), 10)
    assert found.renewed_share is not None
    assert found.renewed_share.value == 0.0


def test_a_price_that_was_renewed_on_the_day_of_the_forecast_is_not_renewed_after_it(
    tmp_path: Path,
) -> None:
    opened, _ = book(tmp_path / "book", 52)
    found = interval_coverage(panel(), opened, 7, [day(50)])
    assert (found.judged, found.renewed, found.renewed_share) == ((20,), 0, None)


@pytest.mark.parametrize("fair", [1 / 0.95, 1 / 1.05], ids=["lower", "upper"])
def test_a_price_on_an_edge_of_the_interval_is_inside(fair: float, tmp_path: Path) -> None:
    opened, _ = book(tmp_path / "book", 45, fair=fair)
    found = interval_coverage(panel(), opened, 7, [day(30)])
    assert (found.inside, found.judged) == ((20,), (20,))


def test_without_days_no_coverage_is_judged(tmp_path: Path) -> None:
    opened, _ = book(tmp_path / "book", 52)
    found = interval_coverage(panel(), opened, 7, [])
    assert (found.judged, found.share) == ((), None)
    assert found.to_dict()["share_ci"] is None


def test_a_champion_whose_book_cannot_be_read_stops_no_measurement(
    registry_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()
    damaged, champion = (register(registry, tmp_path / str(last), last) for last in (45, 52))
    with registry.client("test") as client:
        run = client.get_run(damaged.run_id)
    manifest = Path(run.info.artifact_uri.removeprefix("file://")) / "book" / "manifest.json"
    manifest.write_text("{}")
    past = forecasts_on(registry, day(45), champion, registry.open_book(champion))
    assert past is not None
    assert (past.version, past.day, past.served) == (champion.version, day(45), False)
    assert "the forecasts of model version 1 cannot be read" in caplog.text
