from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.market.sources.simulated_catalog import EPOCH, FEATURED, make_cards
from pokewatch.market.sources.simulated_process import MarketPath, Regime

FIRST, DAYS, CARDS = 200, 260, 5000
BANDS = ((0, 1), (1, 5), (5, 20), (20, 100), (100, np.inf))
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """[d, n], NaN where there is no row."""

    market: Floats
    low: Floats
    high: Floats
    fair: Floats
    volume: Floats


def watch(
    cards: int, first: int, days: int, regimes: tuple[Regime, ...] = (), seed: int = 0
) -> History:
    path = MarketPath(make_cards(cards, seed)[1], seed, regimes)
    columns = {
        name: np.full((days, cards), np.nan) for name in ("market", "low", "high", "fair", "volume")
    }
    while path.day < first:
        path.advance()
    for day in range(days):
        quotes = path.quotes()
        for name, values in columns.items():
            values[day, quotes.card] = getattr(quotes, name)
        path.advance()
    return History(**columns)


@pytest.fixture(scope="module")
def history() -> History:
    return watch(CARDS, FIRST, DAYS)


def in_band(history: History, low: float, high: float) -> NDArray[np.bool_]:
    price = np.full(history.market.shape[1], -1.0)
    quoted = np.isfinite(history.market).any(axis=0)
    price[quoted] = np.nanmedian(history.market[:, quoted], axis=0)
    return (price >= low) & (price < high)


def moves(history: History, low: float, high: float) -> Floats:
    """Daily log moves of the cards of a band, those with a gap left out."""
    return np.diff(np.log(history.market[:, in_band(history, low, high)]), axis=0)


# What FACTS of the real market are: sd of daily log moves, share unchanged, share beyond 10%.
@pytest.mark.parametrize(
    ("band", "sd", "unchanged", "beyond"),
    [
        ((0, 1), 0.053, 0.77, 0.059),
        ((1, 5), 0.030, 0.72, 0.012),
        ((5, 20), 0.027, 0.73, 0.0064),
        ((20, 100), 0.027, 0.80, 0.0043),
        ((100, np.inf), 0.031, 0.86, 0.0045),
    ],
    ids=str,
)
def test_moves_look_like_the_real_market(
    history: History, band: tuple[float, float], sd: float, unchanged: float, beyond: float
) -> None:
    move = moves(history, *band)
    known = move[np.isfinite(move)]
    assert known.std() == pytest.approx(sd, rel=0.25)
    assert (known == 0).mean() == pytest.approx(unchanged, abs=0.05)
    assert beyond / 4 < (np.abs(known) > 0.1).mean() < beyond * 4.5
    assert np.mean((known - known.mean()) ** 4) / known.var() ** 2 > 60


def test_moves_hardly_correlate_with_those_of_the_day_before(history: History) -> None:
    move = moves(history, 0, np.inf)
    both = np.isfinite(move[1:]) & np.isfinite(move[:-1])
    assert -0.10 < np.corrcoef(move[1:][both], move[:-1][both])[0, 1] < 0.0


def test_last_price_is_a_good_forecast_of_tomorrow(history: History) -> None:
    move = moves(history, 1, np.inf)
    assert 0.4 < 100 * np.nanmean(np.abs(np.expm1(-move))) < 1.0


def test_the_whole_market_moves_together_a_little(history: History) -> None:
    fair = np.diff(np.log(history.fair[:, np.isfinite(history.fair).all(axis=0)]), axis=0)
    assert np.median(fair, axis=1).std() == pytest.approx(0.0013, rel=0.2)


def test_quotes_change_only_with_sales(history: History) -> None:
    changed = np.diff(history.market, axis=0) != 0
    known = np.isfinite(history.market[1:]) & np.isfinite(history.market[:-1])
    unsold = history.volume[1:] == 0
    assert not (changed & known & unsold).any()
    weekly = history.volume[: DAYS // 7 * 7].reshape(-1, 7, CARDS).sum(axis=1)
    weekly = weekly[np.isfinite(weekly)]
    assert 5 < np.median(weekly) < 14
    assert 0.02 < (weekly == 0).mean() < 0.25


def test_a_fresh_quote_is_a_noisy_observation_that_filtering_improves(history: History) -> None:
    """A plain running average of changed quotes has less than half the error of the last price."""
    quote, fair = np.log(history.market), np.log(history.fair)
    cards = np.isfinite(quote).sum(axis=0) > DAYS * 0.9
    level = quote[0].copy()
    last = quote[0].copy()
    errors = []
    for day in range(1, DAYS):
        level = np.where(np.isnan(level), quote[day], level)
        fresh = np.isfinite(quote[day]) & (quote[day] != last)
        last = np.where(np.isfinite(quote[day]), quote[day], last)
        level = np.where(fresh, level + 0.3 * np.clip(quote[day] - level, -0.1, 0.1), level)
        if day > 60:
            errors.append(np.stack([np.abs(level - fair[day]), np.abs(last - fair[day])])[:, cards])
    filtered, unfiltered = np.nansum(np.array(errors), axis=(0, 2))
    assert 0.35 < filtered / unfiltered < 0.48
    bias = np.nanmedian(quote - fair)
    assert abs(bias) < 0.002


def test_the_lowest_ask_is_above_the_market_for_half_of_the_dear_cards(history: History) -> None:
    dear, cheap = in_band(history, 100, np.inf), in_band(history, 0, 1)
    assert 0.4 < (history.low > history.market)[:, dear].mean() < 0.6
    assert (history.low > history.market)[:, cheap].mean() < 0.05
    known = np.isfinite(history.market)
    assert np.median((history.high / history.market)[known]) > 1.5
    assert (history.high >= history.low)[np.isfinite(history.low)].all()


def test_new_cards_fall_after_release_and_then_settle() -> None:
    traits = make_cards(CARDS, 0)[1]
    release = int(traits.released[traits.released > 0][0])
    cards = traits.released == release
    fair = watch(CARDS, release - 1, 80).fair[:, cards]
    assert np.isnan(fair[0]).all()
    since = np.log(fair[1:]) - np.log(fair[2])
    level = np.nanmedian(since[:, np.isfinite(since).sum(axis=0) > 70], axis=1)
    weekly = [level[7 * (week + 1)] - level[7 * week] for week in range(10)]
    np.testing.assert_allclose(weekly[:2], np.log1p(-0.051), atol=0.015)
    np.testing.assert_allclose(weekly[3:5], np.log1p(-0.016), atol=0.015)
    assert abs(np.mean(weekly[5:])) < 0.006


def test_halts_delistings_and_missing_rows(history: History) -> None:
    no_price = np.isfinite(history.low) & np.isnan(history.market)
    halted = np.any(no_price, axis=0)
    assert 0.001 < halted.mean() < 0.02
    assert (history.volume[no_price] == 0).all()
    steady = np.arange(CARDS) < len(FEATURED)
    assert not halted[steady].any()
    there = np.isfinite(history.low)
    gone = there[:20].any(axis=0) & ~there[-20:].any(axis=0)
    assert 0 < gone.mean() < 0.01
    whole = there[0] & there[-1]
    assert 0.001 < 1 - there[:, whole].mean() < 0.004


def test_a_set_repriced_by_half() -> None:
    planted = EPOCH + timedelta(days=40)
    set_id = str(make_cards(600, 0)[1].set_id[0])
    member = make_cards(600, 0)[1].set_id == set_id
    quiet, shaken = (
        watch(600, 0, 80),
        watch(600, 0, 80, (Regime("reprice", planted, factor=0.5, set_id=set_id),)),
    )
    np.testing.assert_allclose(shaken.fair[40:, member], 0.5 * quiet.fair[40:, member])
    np.testing.assert_array_equal(shaken.fair[:, ~member], quiet.fair[:, ~member])
    np.testing.assert_array_equal(shaken.market[:40], quiet.market[:40])
    ratio = np.nanmedian(shaken.market[70:, member] / quiet.market[70:, member])
    assert ratio == pytest.approx(0.5, abs=0.1)


def test_a_planted_volatility_multiplies_the_moves() -> None:
    planted = EPOCH + timedelta(days=60)
    quiet, shaken = (
        watch(600, 0, 160),
        watch(
            600,
            0,
            160,
            (Regime("volatility", planted, factor=3.0, until=planted + timedelta(days=50)),),
        ),
    )

    def spread(history: History, days: slice) -> float:
        move = np.diff(np.log(history.market[days]), axis=0)
        move = np.abs(move[np.isfinite(move) & (move != 0)])
        return float(move.mean())

    assert spread(shaken, slice(0, 60)) == spread(quiet, slice(0, 60))
    assert spread(shaken, slice(62, 110)) > 2 * spread(quiet, slice(62, 110))
    assert spread(shaken, slice(115, 160)) < 1.5 * spread(quiet, slice(115, 160))


def test_frozen_quotes() -> None:
    frozen = watch(
        600,
        0,
        60,
        (Regime("freeze", EPOCH + timedelta(days=30), until=EPOCH + timedelta(days=45)),),
    )
    volume = np.nansum(frozen.volume, axis=1)
    debuts = 120
    assert (volume[30:45] <= debuts).all()
    assert (volume[:30] > debuts).all()
    assert (volume[45:] > debuts).all()


def test_a_regime_of_no_card_is_an_error() -> None:
    with pytest.raises(ValueError, match="no card in set 'nowhere'"):
        MarketPath(make_cards(10, 0)[1], 0, (Regime("freeze", date(2024, 2, 1), set_id="nowhere"),))
