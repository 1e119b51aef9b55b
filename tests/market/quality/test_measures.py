"""A day measured against another day of the lake, whatever lies between them."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pokewatch.market.quality import measures
from pokewatch.market.quality.days import check_measures, measure
from pokewatch.market.quality.measures import nearest_day
from tests.market.quality.test_days import (
    BEFORE,
    DAY,
    LIMITS,
    TODAY,
    USUAL,
    failed,
    moved,
    panel,
)


def test_a_day_is_compared_with_the_last_one_however_long_ago() -> None:
    assert nearest_day(DAY, [date(2025, 10, 20), BEFORE, DAY, TODAY]) == BEFORE
    assert nearest_day(DAY, [DAY - timedelta(days=800), TODAY]) == DAY - timedelta(days=800)
    assert nearest_day(DAY, [DAY, date(2026, 1, 1), TODAY]) == TODAY
    assert nearest_day(DAY, [DAY]) is None


@pytest.mark.parametrize("days", [1, 8, 400, -5])
def test_another_currency_is_seen_across_any_gap(days: int) -> None:
    other = panel(USUAL, DAY - timedelta(days=days))

    assert failed(panel(moved(0.2), currency="EUR"), other) == {"currencies": "2 on 2025-10-22"}


@pytest.mark.parametrize("days", [1, 8, 400, -5])
@pytest.mark.parametrize("factor", [100.0, 0.01, 1.6])
def test_another_scale_is_seen_across_any_gap(days: int, factor: float) -> None:
    found = failed(panel(moved(0.2) * factor), panel(USUAL, DAY - timedelta(days=days)))

    assert {"level", "scale"} <= found.keys()
    assert found["level"] == f"a factor of {max(factor, 1 / factor):.4g} on 2025-10-22"


def test_a_currency_that_nobody_named_is_seen() -> None:
    dollars = panel(np.round(USUAL, 2), BEFORE)

    assert failed(panel(np.round(moved(0.2) * 0.87, 2)), dollars).keys() == {"scale"}


def test_a_handful_of_cards_in_cents_is_seen_and_three_that_move_are_not() -> None:
    few = np.arange(1.0, 6.0)

    assert failed(panel(100 * few), panel(few, BEFORE)).keys() == {"level"}
    assert failed(panel([9.0, 18.0, 3.0, 4.0, 5.0]), panel(few, BEFORE)) == {}


def test_coverage_is_measured_across_any_gap_and_only_forwards() -> None:
    half = panel(moved(0.2)[:100])

    assert failed(half, panel(USUAL, DAY - timedelta(days=30))).keys() == {"coverage"}
    assert failed(half, panel(USUAL, TODAY)) == {}


def test_a_refreshed_day_must_have_the_prices_it_had() -> None:
    before = panel(USUAL, BEFORE)

    def refreshed(prices: pa.Table, replaced: pa.Table) -> list[str]:
        measures = measure(prices, DAY, before, 0, TODAY, LIMITS, replaced)
        return [check.name for check in check_measures([measures], LIMITS) if not check.passed]

    assert refreshed(panel(moved(0.2)), panel(moved(0.3))) == []
    assert refreshed(panel(moved(0.2)[:196]), panel(moved(0.3))) == ["refresh"]


@pytest.mark.parametrize(
    ("rows", "rejected", "share"),
    [(2, 1, None), (1, 1, None), (9, 3, None), (0, 1, 1.0), (8, 4, 1 / 3), (297, 3, 0.01)],
)
def test_one_or_a_few_bad_rows_do_not_hold_a_day_of_few_cards(
    rows: int, rejected: int, share: float | None
) -> None:
    assert measures._quarantined(rows, rejected, 100) == share


def test_prices_of_several_days_are_aligned_by_card() -> None:
    days = [
        pa.table({"card_id": pa.array(ids, pa.string()), "market_price": pa.array(prices)})
        for ids, prices in (
            (["b", "a", "b"], [2.0, None, 9.0]),  # the first of two rows counts
            ([], pa.array([], pa.float64())),
            (["c", "a"], [0.0, 1.0]),
        )
    ]
    ids, prices = measures.aligned([pa.concat_tables(days[:2]), *days[1:]])
    assert ids.to_pylist() == ["b", "a", "c"]
    np.testing.assert_array_equal(
        prices, [[2.0, np.nan, np.nan], [np.nan] * 3, [np.nan, 1.0, np.nan]]
    )
