"""Days of a collection, each checked against the days around it."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pokewatch.market.day_checks import DayChecks
from pokewatch.market.lake import Lake
from pokewatch.market.quality.days import QualityThresholds
from tests.market.quality.test_days import DAY, USUAL, moved, panel
from tests.market.quality.test_groups import cards

DAYS = [DAY + timedelta(days=number) for number in range(4)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def checks_of(lake: Lake, collected: list[int]) -> DayChecks:
    days = [DAYS[number] for number in collected]
    return DayChecks(lake, QualityThresholds(), DAYS[-1], days, gaps=False)


def failed(checks: DayChecks, number: int, currency: str = "USD", share: float = 0.2) -> set[str]:
    prices = panel(moved(share), DAYS[number], currency)
    found = checks.check(DAYS[number], prices, 0, None)
    return {check.name for check in found if not check.passed}


def test_a_day_that_passed_is_compared_with_and_one_that_failed_is_not(lake: Lake) -> None:
    checks = checks_of(lake, [0, 1, 2])

    assert failed(checks, 0) == set()
    assert failed(checks, 1, share=0.2) == {"staleness"}
    assert failed(checks, 2, currency="EUR", share=0.3) == {"currencies"}
    assert failed(checks, 2, share=0.3) == set()


def test_a_lake_collected_in_the_wrong_currency_can_be_collected_again(lake: Lake) -> None:
    for number, share in enumerate((0.1, 0.2, 0.3)):
        lake.write_day(DAYS[number], panel(moved(share), DAYS[number], "EUR"))

    assert failed(checks_of(lake, [0]), 0) == {"currencies"}
    every = checks_of(lake, [0, 1, 2])
    assert [failed(every, number, share=0.1 + number / 10) for number in range(3)] == [set()] * 3


def test_an_earlier_day_is_compared_with_the_next_one(lake: Lake) -> None:
    lake.write_day(DAYS[2], panel(USUAL, DAYS[2]))

    assert failed(checks_of(lake, [0]), 0, currency="EUR") == {"currencies"}
    assert failed(checks_of(lake, [0]), 0) == set()


def test_doubts_look_at_the_last_days_of_the_lake_and_of_the_collection(lake: Lake) -> None:
    lake.write_day(DAYS[0], panel(USUAL, DAYS[0]))
    checks = checks_of(lake, [1, 3])
    assert checks.has_history(DAYS[1])
    assert checks.has_history(DAYS[0])  # its own copy
    assert not checks_of(Lake(lake.root / "empty"), [0]).has_history(DAYS[0])

    assert failed(checks, 1) == set()
    slipped = USUAL.copy()
    slipped[5] *= 100
    (found,) = checks.doubts(DAYS[3], panel(slipped, DAYS[3]), cards())
    assert found.problem == "slip"
    assert f"card-5 from {moved(0.2)[5]:.2f} to {slipped[5]:.2f}" in found.text


def test_cards_that_a_day_collected_again_lacks_are_named(lake: Lake) -> None:
    lake.write_day(DAYS[1], panel(USUAL, DAYS[1]))
    checks = checks_of(lake, [1])
    fewer = panel(moved(0.2)[:199], DAYS[1])

    assert all(check.passed for check in checks.check(DAYS[1], fewer, 0, None))
    (found,) = checks.doubts(DAYS[1], fewer, cards())
    assert (found.problem, found.text) == (
        "lost",
        "1 had a price on the day, and now none: card-199",
    )


def test_a_column_of_prices_that_loses_all_values_is_doubtful(lake: Lake) -> None:
    def with_lows(number: int, lows: int) -> pa.Table:
        prices = panel(moved(0.1 + number / 10), DAYS[number])
        values = [1.0] * lows + [None] * (prices.num_rows - lows)
        at = prices.schema.get_field_index("low_price")
        return prices.set_column(at, "low_price", pa.array(values, pa.float64()))

    lake.write_day(DAYS[0], with_lows(0, 150))
    checks = checks_of(lake, [1, 2, 3])
    found = []
    for number, lows in ((1, 20), (2, 0), (3, 0)):
        prices = with_lows(number, lows)
        assert all(each.passed for each in checks.check(DAYS[number], prices, 0, None))
        found += [
            (number, doubt.subject, doubt.text)
            for doubt in checks.doubts(DAYS[number], prices, cards())
            if doubt.problem == "emptied"
        ]
    why = f"no value, and 20 on {DAYS[1]}: the source may have renamed it"
    assert found == [(2, "low_price", why)]
