"""Groups of prices that freeze, empty or change scale while the others go on."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.quality.groups import Doubt, _rescaled, doubtful_groups

FIRST = date(2025, 10, 1)
SETS, EACH = 4, 100
Prices = NDArray[np.float64]


def card_id(number: int) -> str:
    return f"card-{number}"


def cards(games: tuple[str, ...] = ("Pokemon", "Pokemon Japan")) -> pa.Table:
    """Cards of four sets; odd ones are holofoil, and the second half is of the second game."""
    rows = [
        {
            "card_id": card_id(n),
            "slug": card_id(n),
            "name": f"Card {n}",
            "set_id": f"s{n // EACH}",
            "set_name": f"Set {n // EACH}",
            "printing": "Holofoil" if n % 2 else "Normal",
            "game": games[2 * n // (SETS * EACH)],
        }
        for n in range(SETS * EACH)
    ]
    return pa.Table.from_pylist(rows, schema=CARD_SCHEMA)


def day_of(prices: Prices, number: int) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "card_id": card_id(n),
            "date": FIRST + timedelta(days=number),
            "market_price": None if np.isnan(price) else price,
            "currency": "USD",
            "source": "t",
            "observed_at": datetime(2025, 11, 1, tzinfo=UTC),
        }
        for n, price in enumerate(prices)
    ]
    return pa.Table.from_pylist(rows, schema=PRICE_SCHEMA)


def market(days: int, share: float = 0.3) -> list[Prices]:
    """Prices of which a share changes each day."""
    rng = np.random.default_rng(3)
    found = [rng.uniform(1, 50, SETS * EACH).round(2)]
    for _ in range(days - 1):
        changed = rng.random(SETS * EACH) < share
        step = np.where(changed, rng.normal(1, 0.05, SETS * EACH), 1.0)
        found.append((found[-1] * step).round(2))
    return found


def doubts(prices: list[Prices], gaps: bool = False) -> list[Doubt]:
    tables = [day_of(each, number) for number, each in enumerate(prices)]
    return doubtful_groups(tables[-1], tables[:-1], cards(), gaps=gaps)


@pytest.mark.parametrize("days", [1, 2, 3, 9])
def test_an_ordinary_day_has_none(days: int) -> None:
    assert doubts(market(days)) == []


SET_1 = np.arange(SETS * EACH) // EACH == 1
HOLOFOIL = np.arange(SETS * EACH) % 2 == 1
JAPAN = np.arange(SETS * EACH) >= 2 * EACH


@pytest.mark.parametrize("days", [2, 5])
@pytest.mark.parametrize(
    ("cells", "subjects"),
    [
        (SET_1, ["set Set 1"]),
        (HOLOFOIL, ["printing Holofoil"]),
        (JAPAN, ["game Pokemon Japan"]),
    ],
)
def test_prices_that_are_frozen_while_the_others_move(
    days: int, cells: NDArray[np.bool_], subjects: list[str]
) -> None:
    prices = market(days)
    prices[-1] = np.where(cells, prices[-2], prices[-1])

    found = doubts(prices)

    assert [(each.subject, each.problem) for each in found] == [
        (name, "frozen") for name in subjects
    ]
    assert found[0].text.startswith(f"none of {np.sum(cells)} prices changed, about ")


def test_a_market_that_is_frozen_as_a_whole_is_not_doubtful_of_its_groups() -> None:
    prices = market(5)
    assert doubts([*prices, prices[-1]]) == []


def test_a_set_that_never_moves_is_not_doubtful() -> None:
    prices = market(6)
    assert doubts([np.where(SET_1, prices[0], each) for each in prices]) == []


def test_a_set_that_lost_its_prices() -> None:
    prices = market(3)
    prices[-1] = np.where(SET_1, np.nan, prices[-1])

    assert doubts(prices) == [Doubt("set Set 1", "empty", "none of 100 prices")]
    assert doubts(prices, gaps=True) == []


@pytest.mark.parametrize("factor", [100.0, 0.01, 0.87])
@pytest.mark.parametrize(
    ("cells", "subject"), [(SET_1, "set Set 1"), (HOLOFOIL, "printing Holofoil")]
)
def test_prices_of_another_scale(factor: float, cells: NDArray[np.bool_], subject: str) -> None:
    prices = market(3)
    prices[-1] = np.where(cells, prices[-2] * factor, prices[-1])

    found = [each for each in doubts(prices) if each.problem == "rescaled"]

    assert [each.subject for each in found] == [subject]
    assert found[0].text.endswith(f"prices changed by a factor of {factor:g}")


def test_a_set_that_falls_without_a_common_factor_is_not_doubtful() -> None:
    prices = market(3)
    prices[-1] = np.where(SET_1, prices[-2] * np.linspace(0.6, 1.0, SETS * EACH), prices[-1])

    assert doubts(prices) == []


def test_slips_of_cards_are_named_with_their_prices() -> None:
    prices = market(3)
    prices[1][7] = np.nan  # its last price is older
    prices[0][7] = 2.0
    prices[-1][[3, 7]] = prices[-2][3] * 100, 200.0
    prices[-1][11] = prices[-2][11] * 30

    (found,) = doubts(prices)

    assert (found.subject, found.problem) == ("cards", "slip")
    assert found.text.startswith(
        "3 prices changed twentyfold or more (2 about a hundredfold: cents for dollars?): "
    )
    assert "card-7 from 2.00 to 200.00" in found.text
    assert f"card-11 from {prices[-2][11]:,.2f} to {prices[-1][11]:,.2f}" in found.text


def test_fivefold_moves_are_no_finding() -> None:
    prices = market(3)
    prices[-1][:30] = prices[-2][:30] * 6
    assert doubts(prices) == []


@pytest.mark.parametrize("moved", [0, 49, 50, 51, 59, 60, 61, 100])
@pytest.mark.parametrize("factor", [1.04, 4.0, 6.0])
def test_a_group_is_rescaled_from_three_fifths_of_its_prices_on(moved: int, factor: float) -> None:
    log = np.where(np.arange(100) < moved, np.log(factor), 0.0)
    assert bool(_rescaled(log)) == (moved >= 60)
