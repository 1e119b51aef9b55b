from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.errors import QualityError, SettingsError
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.quality.cleaning import clean_rows
from pokewatch.market.quality.days import (
    QualityThresholds,
    check_days,
    check_measures,
    measure,
    require,
)
from pokewatch.market.quality.rows import split_rows
from pokewatch.market.sources import REJECTED_SCHEMA
from pokewatch.settings import QualitySettings

DAY = date(2025, 10, 22)
TODAY = date(2025, 10, 23)
LIMITS = QualityThresholds()
SEEN = datetime(2025, 10, 23, tzinfo=UTC)


def row(
    card_id: str | None = "card-1", market: float | None = 10.0, day: date = DAY, **others: Any
) -> dict[str, Any]:
    return {
        "card_id": card_id,
        "date": day,
        "market_price": market,
        "currency": "USD",
        "source": "t",
        "observed_at": SEEN,
        **others,
    }


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PRICE_SCHEMA)


def panel(
    prices: np.ndarray[Any, Any] | list[float | None],
    day: date = DAY,
    currency: str = "USD",
    first: int = 0,
) -> pa.Table:
    return table(
        *(
            row(f"card-{number}", price, day, currency=currency)
            for number, price in enumerate(prices, start=first)
        )
    )


def test_good_rows_are_all_kept_with_their_nulls() -> None:
    prices = table(row(), row("card-2", None), row("card-1", 1e6, TODAY, volume=0, low_price=0.01))

    good, rejected = split_rows(prices, LIMITS.max_price, TODAY)

    assert good.equals(prices)
    assert rejected.num_rows == 0
    assert rejected.schema == REJECTED_SCHEMA


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(market=-1.0), "market_price is not positive"),
        (row(market=0.0), "market_price is not positive"),
        (row(market=1_000_001.0), "market_price is not a price up to 1,000,000"),
        (row(market=float("inf")), "market_price is not a price up to 1,000,000"),
        (row(market=float("nan")), "market_price is not a price up to 1,000,000"),
        (row(currency="GBP"), "currency is not USD or EUR"),
        (row("Card 1"), "card_id does not match ^[a-z0-9][a-z0-9_-]{0,79}$"),
        (row("a" * 81), "card_id does not match ^[a-z0-9][a-z0-9_-]{0,79}$"),
        (row("a\n"), "card_id does not match ^[a-z0-9][a-z0-9_-]{0,79}$"),
        (row(None), "card_id is missing"),
        (row(day=TODAY + timedelta(days=1)), "date is after 2025-10-23"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(bad: dict[str, Any], reason: str) -> None:
    good, rejected = split_rows(table(row("card-9"), bad, row("card-8")), LIMITS.max_price, TODAY)

    assert good["card_id"].to_pylist() == ["card-9", "card-8"]
    assert rejected["reason"].to_pylist() == [reason]
    assert rejected["date"].to_pylist() == [bad["date"]]


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("low_price", 0.0),
        ("low_price", -0.01),
        ("low_price", 99_999.0),
        ("low_price", float("nan")),
        ("mid_price", 1e9),
        ("high_price", 999.0),
        ("high_price", 9_999_999.99),
        ("high_price", float("inf")),
        ("avg7_price", 0.0),
        ("avg30_price", -5.0),
        ("volume", -1),
    ],
)
def test_a_value_that_a_row_need_not_have_is_removed_and_its_row_kept(
    name: str, price: float
) -> None:
    limit = LIMITS.max_price
    cleaned, changes = clean_rows(table(row() | {name: price}, row("card-2", 400.0)), limit)
    good, rejected = split_rows(cleaned, LIMITS.max_price, TODAY)

    assert good["market_price"].to_pylist() == [10.0, 400.0]
    assert good[name].to_pylist() == [None, None]
    assert rejected.num_rows == 0
    assert [count for why, count in changes.items() if why.startswith(f"{name} is ")] == [1]


def test_a_true_ask_of_999_is_kept() -> None:
    prices = table(row(market=800.0, high_price=999.0))

    assert clean_rows(prices, LIMITS.max_price) == (prices, {})


def test_identical_rows_are_merged_and_others_are_duplicates() -> None:
    later = row(observed_at=SEEN + timedelta(hours=1))
    cleaned, changes = clean_rows(table(row(), later, row(market=11.0)), LIMITS.max_price)

    assert changes == {"identical rows were merged": 1}
    assert cleaned["market_price"].to_pylist() == [10.0, 11.0]
    assert split_rows(cleaned, LIMITS.max_price, TODAY)[1].num_rows == 1


@pytest.mark.parametrize(
    ("name", "price", "reason"),
    [
        ("low_price", 0.0, "low_price is 0, not a price"),
        ("low_price", -0.01, "low_price is not a price up to 1,000,000"),
        ("low_price", 99_999.0, "low_price is 99,999, which means none listed"),
        ("low_price", 99_999.99, "low_price is 99,999.99, which means none listed"),
        ("high_price", 999.0, "high_price is 999, which means none listed"),
        ("high_price", 999.99, "high_price is 999.99, which means none listed"),
        ("high_price", float("inf"), "high_price is not a price up to 1,000,000"),
        ("avg7_price", 0.0, "avg7_price is not a price up to 1,000,000"),
        ("volume", -1, "volume is not a number of sales"),
    ],
)
def test_the_report_says_why_a_value_is_left_empty(name: str, price: float, reason: str) -> None:
    _, changes = clean_rows(table(row() | {name: price}), LIMITS.max_price)

    assert changes == {f"{reason}: left empty": 1}


@pytest.mark.parametrize(
    "asks",
    [
        {"low_price": 12.0, "high_price": 9.0},
        {"low_price": 9.0, "mid_price": 8.0},
        {"low_price": 9.0, "mid_price": 11.0, "high_price": 10.0},
    ],
)
def test_asks_that_are_not_in_order_are_removed(asks: dict[str, Any]) -> None:
    orderly = row("card-2", low_price=12.0, mid_price=12.0, high_price=13.0)  # above the market
    prices = table(row(**asks), orderly)
    cleaned, changes = clean_rows(prices, LIMITS.max_price)

    assert changes == {"low, mid and high price are not in this order: left empty": 1}
    assert cleaned.to_pylist() == table(row(), orderly).to_pylist()


@pytest.mark.parametrize(
    ("market", "kept"), [(332.0, False), (334.0, True), (2990.0, True), (3000.0, False)]
)
def test_an_ask_of_999_is_kept_within_a_factor_of_3_of_the_market_price(
    market: float, kept: bool
) -> None:
    cleaned, _ = clean_rows(table(row(market=market, high_price=999.0)), LIMITS.max_price)

    assert cleaned["high_price"].to_pylist() == [999.0 if kept else None]


def test_without_a_market_price_a_low_of_99_999_is_left_empty() -> None:
    cleaned, _ = clean_rows(table(row(market=None, low_price=99_999.0)), LIMITS.max_price)

    assert cleaned["low_price"].to_pylist() == [None]


def test_values_at_their_limits_and_wrong_market_prices_are_not_left_empty() -> None:
    """A row without a good market price is rejected as a whole, with its reason."""
    prices = table(
        row(low_price=0.01, mid_price=LIMITS.max_price, volume=0),
        row("card-2", market=-1.0),
        row("card-3", market=LIMITS.max_price * 2),
    )

    assert clean_rows(prices, LIMITS.max_price) == (prices, {})


def test_every_reason_is_reported() -> None:
    _, rejected = split_rows(table(row(market=-1.0, currency="GBP")), LIMITS.max_price, TODAY)

    assert set(rejected["reason"][0].as_py().split("; ")) == {
        "market_price is not positive",
        "currency is not USD or EUR",
    }


def test_of_duplicates_the_first_good_row_is_kept() -> None:
    prices = table(row(market=-5.0), row(market=1.0), row(market=2.0), row(market=1.0, day=TODAY))

    good, rejected = split_rows(prices, LIMITS.max_price, TODAY)

    assert good["market_price"].to_pylist() == [1.0, 1.0]
    assert rejected["reason"].to_pylist() == [
        "market_price is not positive",
        "another row has the same card and date",
    ]


@given(
    st.lists(
        st.builds(
            row,
            st.sampled_from(["a", "b", "C", None]),
            st.one_of(st.none(), st.floats()),
            st.sampled_from([DAY, TODAY, date(2999, 1, 1)]),
        ),
        max_size=12,
    )
)
def test_every_row_is_kept_or_rejected(rows: list[dict[str, Any]]) -> None:
    good, rejected = split_rows(table(*rows), LIMITS.max_price, TODAY)

    assert good.num_rows + rejected.num_rows == len(rows)
    assert split_rows(good, LIMITS.max_price, TODAY)[0].equals(good)
    assert len({(r["card_id"], r["date"]) for r in good.to_pylist()}) == good.num_rows


def failed(
    prices: pa.Table,
    previous: pa.Table | None = None,
    rejected: int = 0,
    thresholds: QualityThresholds = LIMITS,
    day: date = DAY,
) -> dict[str, str]:
    checks = check_measures(
        [measure(prices, day, previous, rejected, TODAY, thresholds)], thresholds
    )
    return {check.name: check.actual for check in checks if not check.passed}


BEFORE = DAY - timedelta(days=1)
USUAL = np.linspace(1.0, 100.0, 200)


def moved(share: float, factor: float = 1.01) -> np.ndarray[Any, Any]:
    return np.where(np.arange(len(USUAL)) < share * len(USUAL), USUAL * factor, USUAL)


def test_an_ordinary_day_passes() -> None:
    assert failed(panel(moved(0.2)), panel(USUAL, BEFORE)) == {}


def test_a_first_day_passes() -> None:
    assert failed(panel(USUAL)) == {}


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (panel(moved(0.2)[:100]), {"coverage": "50.0% on 2025-10-22"}),
        (panel(USUAL), {"staleness": "100.0% on 2025-10-22"}),
        (panel(moved(0.2, 6.0)), {"jumps": "20.0% on 2025-10-22"}),
        (panel(moved(0.2, 1 / 6)), {"jumps": "20.0% on 2025-10-22"}),
        (panel(moved(0.2), currency="EUR"), {"currencies": "2 on 2025-10-22"}),
        (panel(np.where(moved(0.2) > 99, -1.0, moved(0.2))), {"positivity": "3 on 2025-10-22"}),
        (
            pa.concat_tables([panel(moved(0.2)), table(row("card-3", 2.0))]),
            {"duplicates": "1 on 2025-10-22"},
        ),
        (
            pa.concat_tables([panel(moved(0.2)), table(row("Card 3", 2.0))]),
            {"schema": "1 on 2025-10-22"},
        ),
    ],
    ids=["half the cards", "repeated", "up", "down", "currency", "negative", "duplicate", "id"],
)
def test_a_bad_day_fails_the_check_that_names_it(
    prices: pa.Table, expected: dict[str, str]
) -> None:
    assert failed(prices, panel(USUAL, BEFORE)) == expected


def test_coverage_counts_prices_not_rows() -> None:
    nulls = [price if number < 60 else None for number, price in enumerate(moved(0.2))]

    assert failed(panel(nulls), panel(USUAL, BEFORE)) == {"coverage": "30.0% on 2025-10-22"}


def test_too_many_quarantined_rows_fail() -> None:
    assert failed(panel(moved(0.2)), panel(USUAL, BEFORE), rejected=4) == {}
    assert failed(panel(moved(0.2)), panel(USUAL, BEFORE), rejected=5) == {
        "quarantine": "2.4% on 2025-10-22"
    }


def test_one_bad_row_does_not_hold_a_small_day() -> None:
    assert failed(panel([1.0] * 11), rejected=1) == {}
    assert "quarantine" in failed(panel([1.0] * 6), rejected=6)


def test_an_empty_day_and_a_future_day_fail() -> None:
    assert "prices" in failed(panel([]))
    assert failed(panel([None] * 200)) == {"prices": "0 on 2025-10-22"}
    assert failed(panel(USUAL, date(2025, 10, 25)), day=date(2025, 10, 25)) == {
        "future_dates": "2 on 2025-10-22".replace("22", "25")
    }


def test_few_cards_are_not_judged_by_shares_of_moves() -> None:
    assert failed(panel([1.0, 2.0, 3.0]), panel([1.0, 2.0, 3.0], BEFORE)) == {}
    assert failed(panel([9.0, 2.0, 3.0]), panel([1.0, 2.0, 3.0], BEFORE)) == {}


def test_the_worst_day_of_many_is_reported_beside_the_usual_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for back, share in enumerate([0.2, 0.3, 0.005, 0.4]):
        day = DAY - timedelta(days=back)
        lake.write_day(
            day, panel(USUAL * (1 + (np.arange(200) < 200 * share) * 0.01 * (back % 2 + 1)), day)
        )

    checks = {check.name: check for check in check_days(lake, lake.days(), LIMITS, TODAY)}

    assert checks["coverage"].actual == "100.0% on 2025-10-20, usually 100.0%"
    assert checks["staleness"].passed
    assert checks["staleness"].actual.split(" on ")[1].endswith("%")


def test_games_that_a_day_was_not_collected_of_do_not_count(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    ids = [f"card-{number}" for number in range(len(USUAL))]
    half = len(USUAL) // 2
    games = ["Pokemon"] * half + ["Magic"] * half
    rows = [
        {"card_id": card, "slug": card, "name": card, "set_id": "", "set_name": "", "game": game}
        for card, game in zip(ids, games, strict=True)
    ]
    lake.write_catalog(pa.Table.from_pylist(rows, schema=CARD_SCHEMA))
    lake.write_day(BEFORE, panel(USUAL, BEFORE), ("Magic", "Pokemon"))
    lake.write_day(DAY, panel(moved(0.2)[:half]), ("Pokemon",))
    lake.write_day(TODAY, panel(moved(0.1)[half:], TODAY, first=half), ("Magic",))

    require(check_days(lake, lake.days(), LIMITS, TODAY))

    lake.write_day(DAY, panel(moved(0.2)[: half - 30]), ("Pokemon",))
    with pytest.raises(QualityError, match=r"^coverage is 70.0% on 2025-10-22"):
        require(check_days(lake, lake.days(), LIMITS, TODAY))


def test_failing_closed_names_check_figures_and_setting(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_day(BEFORE, panel(USUAL, BEFORE))
    lake.write_day(DAY, panel(moved(0.2)[:100]))

    with pytest.raises(QualityError) as caught:
        require(check_days(lake, lake.days(), LIMITS, TODAY))

    assert str(caught.value) == (
        "coverage is 50.0% on 2025-10-22, usually 50.0%, wanted at least 90.0% "
        "(share of the cards priced on the last day before that still have a price; "
        "POKEWATCH_QUALITY_MIN_COVERAGE)"
    ).replace(", usually 50.0%", "")


def test_no_days_at_all_fail(tmp_path: Path) -> None:
    with pytest.raises(QualityError, match="prices is not measured"):
        require(check_days(Lake(tmp_path), [], LIMITS, TODAY))


def test_thresholds_come_from_settings_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    assert QualityThresholds.of(QualitySettings.read(), "tcgcsv") == QualityThresholds()
    own = QualityThresholds.of(QualitySettings.read(), "file")
    assert (own.min_coverage, own.max_unchanged) == (0.0, 1.0)
    monkeypatch.setenv("POKEWATCH_QUALITY_MIN_COVERAGE", "0.5")
    assert {
        QualityThresholds.of(QualitySettings.read(), name).min_coverage
        for name in ("tcgcsv", "file")
    } == {0.5}
    monkeypatch.setenv("POKEWATCH_QUALITY_MAX_JUMPS", "7")
    with pytest.raises(SettingsError, match="POKEWATCH_QUALITY_MAX_JUMPS"):
        QualitySettings.read()


def test_a_day_is_measured_alike_alone_and_with_others(tmp_path: Path) -> None:
    lake, days = Lake(tmp_path), [DAY + timedelta(days=number) for number in range(-9, 1)]
    for number, day in enumerate(days):
        ids = ["Bad id", "card-1", "card-1", *(f"card-{each}" for each in range(number, 40))]
        lake.write_day(day, table(*(row(each, 10.0 + number % 3, day) for each in ids)))
    for count in (1, len(days)):
        found = check_days(lake, days[-count:], LIMITS, TODAY)
        figures = {check.name: check.actual.split(" on ")[0] for check in found}
        assert figures["schema"] == "1"
        assert figures["duplicates"] == ("2" if count > 1 else "1")
    alone = [check_days(lake, [day], LIMITS, TODAY) for day in days]
    together = check_days(lake, days, LIMITS, TODAY)
    for number, check in enumerate(together):
        worst = check.actual.partition(", usually")[0]
        assert worst in [checks[number].actual for checks in alone]


def test_a_day_without_rows_is_measured(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_day(DAY, PRICE_SCHEMA.empty_table())
    failed = {check.name for check in check_days(lake, [DAY], LIMITS, TODAY) if not check.passed}
    assert "prices" in failed
