"""One day's result, on a panel and books small enough to count by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.experiments.results import DayResult
from pokewatch.experiments.scoring import NOT_SAME, Forecaster, score_day
from pokewatch.registry import RegisteredModel
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.track_record import LATE, OTHER_MARKET
from tests.experiments.books import AHEAD, book
from tests.monitoring.test_calibration import CARDS, day, panel


def forecaster(
    folder: Path, factor: np.ndarray | float = 1.0, last: int = 45, days_late: int = 1
) -> Forecaster:
    opened, digest = book(folder, last, factor, "local_level", days_late)
    return RegisteredModel(folder.name, "r" * 32, digest, "dv", {}), opened


def scored(folder: Path, prices: Panel, *challenger: object) -> DayResult | None:
    return score_day(
        prices,
        forecaster(folder / "1"),
        forecaster(folder / "2", *challenger),  # type: ignore[arg-type]
    )


def test_a_challenger_that_knew_of_a_jump(tmp_path: Path) -> None:
    result = scored(tmp_path, panel(), AHEAD)
    assert result is not None
    assert (result.issued_on, result.due_on) == (day(45), day(52))
    assert (result.champion_version, result.challenger_version) == ("1", "2")
    assert (result.cards, result.judged) == (CARDS, CARDS)
    assert result.z == pytest.approx(1.0, abs=1e-4)
    assert result.scale == pytest.approx(10 * np.log(1.1), rel=1e-4)
    assert result.champion_error == pytest.approx(10 * np.log(1.1), rel=1e-4)
    assert result.challenger_error == pytest.approx(0, abs=1e-3)
    assert result.last_error == pytest.approx(result.champion_error)
    assert (result.covered, result.intervals) == (CARDS, CARDS)


def test_a_challenger_that_was_wrong_about_half_of_the_cards(tmp_path: Path) -> None:
    result = scored(tmp_path, panel(), 1.1)
    assert result is not None
    assert result.z == pytest.approx(0.0, abs=1e-4)
    assert (result.covered, result.intervals) == (10, CARDS)


def test_cards_without_a_later_price_do_not_count_for_either(tmp_path: Path) -> None:
    prices = panel()
    market = np.array(prices.market)
    missing = [f"tcgplayer-{card}-normal" for card in (0, 1, 19)]
    market[52, np.isin(prices.card_id, missing)] = np.nan
    result = scored(tmp_path, replace(prices, market=market), AHEAD)
    assert result is not None
    assert (result.cards, result.judged) == (CARDS, CARDS - 3)
    assert result.z == pytest.approx(0.9, abs=1e-4)


def test_equal_forecasts_are_no_comparison(tmp_path: Path) -> None:
    result = scored(tmp_path, panel(), 1.0)
    assert result is not None
    assert (result.z, result.excluded, result.judged) == (None, "", CARDS)


def test_an_outcome_that_is_not_known_is_waited_for(tmp_path: Path) -> None:
    assert scored(tmp_path, panel().up_to(51), AHEAD) is None


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        pytest.param((AHEAD, 45, 8), LATE, id="written after the day it is for"),
        pytest.param((AHEAD, 44), NOT_SAME, id="of another day"),
    ],
)
def test_forecasts_that_are_left_out(
    tmp_path: Path, challenger: tuple[object, ...], reason: str
) -> None:
    result = scored(tmp_path, panel(), *challenger)
    assert result is not None
    assert (result.z, result.excluded) == (None, reason)


def test_another_market_is_left_out(tmp_path: Path) -> None:
    prices = panel()
    other = replace(prices, market=np.asarray(prices.market) * 1.37)
    result = scored(tmp_path, other, AHEAD)
    assert result is not None
    assert (result.z, result.excluded) == (None, OTHER_MARKET)
