from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources.panel import ALIASES, SourcePanel, named_columns, read_panel

DAY = date(2025, 10, 22)
TODAY = date(2025, 10, 23)
NOW = datetime(2025, 10, 23, tzinfo=UTC)


def panel(**columns: Any) -> SourcePanel:
    given_columns = {"card_id": ["a"], "date": [DAY], "market_price": [1.0]} | columns
    return read_panel(pa.table(given_columns), "file", "USD", TODAY, NOW)


def test_every_field_is_found_by_each_of_its_names() -> None:
    for field, aliases in ALIASES.items():
        for alias in aliases:
            names = [
                alias,
                *(needed for needed in ("card_id", "date", "market_price") if needed != field),
            ]
            assert named_columns(names, {})[field] == alias


def test_names_are_read_whatever_their_case_and_spaces() -> None:
    assert named_columns(["Card ID", "DATE", "Market-Price"], {}) == {
        "card_id": "Card ID",
        "date": "DATE",
        "market_price": "Market-Price",
    }


def test_a_given_name_goes_first() -> None:
    assert (
        named_columns(["card_id", "date", "price", "trend"], {"market_price": "trend"})[
            "market_price"
        ]
        == "trend"
    )


def test_missing_columns_are_reported() -> None:
    with pytest.raises(
        ValueError,
        match=r"no column for date; the columns are card_id, price\. Set the column with ",
    ):
        named_columns(["card_id", "price"], {})
    with pytest.raises(
        ValueError, match="there is no column 'x' for market_price; the columns are card_id, date"
    ):
        named_columns(["card_id", "date"], {"market_price": "x"})


def test_a_row_of_text() -> None:
    found = panel(
        card_id=["base-4"],
        date=["2025-10-22"],
        market_price=[" 1.5e1 "],
        low_price=["12"],
        volume=["3"],
        currency=["eur"],
        name=["Charizard"],
    )

    assert found.prices.schema == PRICE_SCHEMA
    assert found.prices.to_pylist() == [
        {
            "card_id": "base-4",
            "date": DAY,
            "market_price": 15.0,
            "low_price": 12.0,
            "mid_price": None,
            "high_price": None,
            "volume": 3,
            "currency": "EUR",
            "source": "file",
            "observed_at": NOW,
        }
    ]
    assert found.rejected.num_rows == 0


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("market_price", "$5", "market_price is not a number"),
        ("market_price", "1,5", "market_price is not a number"),
        ("market_price", "nan", "market_price is not a number"),
        ("low_price", "?", "low_price is not a number"),
        ("volume", "1.5", "volume is not a whole number"),
        ("volume", "many", "volume is not a number"),
        ("date", "22/10/2025", "date is not a day like 2025-10-22"),
        ("date", "2025-02-30", "date is not a day like 2025-10-22"),
        ("date", "2025-10-221", "date is not a day like 2025-10-22"),
        ("date", None, "date is not a day like 2025-10-22"),
        ("date", "2025-10-24", "date is not between 1996-01-01 and 2025-10-23"),
        ("date", "1995-12-31", "date is not between 1996-01-01 and 2025-10-23"),
        ("card_id", None, "card_id is missing"),
        ("card_id", "???", "card_id has no letter or digit"),
    ],
)
def test_a_bad_cell_rejects_its_row_with_the_reason(
    column: str, value: str | None, reason: str
) -> None:
    rows: dict[str, list[str | None]] = {"card_id": ["a", "b"], "date": ["2025-10-22"] * 2}
    rows |= {name: ["1", "2"] for name in ("market_price", "low_price", "volume")}
    rows[column][1] = value

    found = panel(**rows)

    assert found.prices["card_id"].to_pylist() == ["a"]
    assert found.rejected["reason"].to_pylist() == [reason]


def test_empty_cells_are_no_prices() -> None:
    found = panel(
        card_id=["a", "b"], date=[DAY] * 2, market_price=[None, float("nan")], volume=[None, 1]
    )

    assert found.prices["market_price"].to_pylist() == [None, None]
    assert found.rejected.num_rows == 0


@pytest.mark.parametrize(
    "dates",
    [
        pa.array([DAY], pa.date32()),
        pa.array([DAY], pa.date64()),
        pa.array([datetime(2025, 10, 22, 23, 59)], pa.timestamp("us")),  # noqa: DTZ001
        pa.array(
            [datetime(2025, 10, 22, 23, 59, tzinfo=UTC)], pa.timestamp("ns", tz="America/New_York")
        ),
        pa.array(["2025-10-22T10:00:00Z"]),
        pa.array(["2025-10-22 10:00"]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type)[:25],
)
def test_days_of_every_kind(dates: pa.Array) -> None:
    assert panel(date=dates).prices["date"].to_pylist() == [DAY]


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (pa.array([3]), 3.0),
        (pa.array([3.5], pa.float32()), 3.5),
        (pa.array([None], pa.null()), None),
        (pa.array(["3"]).dictionary_encode(), 3.0),
    ],
    ids=["whole", "float32", "null", "dictionary"],
)
def test_prices_of_every_kind(prices: pa.Array, expected: float | None) -> None:
    assert panel(market_price=prices).prices["market_price"].to_pylist() == [expected]


def test_ids_that_do_not_fit_become_slugs_unless_taken() -> None:
    ids = ["swsh12.5-1", "swsh12-5-1", "Sv3 / 199", "Pikachu!", "pikachu?", 7]

    found = panel(card_id=[str(one) for one in ids], date=[DAY] * 6, market_price=[1.0] * 6)

    assert found.prices["card_id"].to_pylist() == ["7", "pikachu", "sv3-199", "swsh12-5-1"]
    assert found.rejected["card_id"].to_pylist() == ["swsh12.5-1", "pikachu?"]
    assert set(found.rejected["reason"].to_pylist()) == {
        "card_id, in lower-case letters and digits, is that of another card"
    }
    assert found.cards.to_pylist()[2]["source_ids"] == '{"file": "Sv3 / 199"}'


def test_a_card_is_what_was_last_said_of_it() -> None:
    found = panel(
        card_id=["a", "a", "b", "a"],
        date=[date(2025, 10, 22), date(2025, 10, 20), DAY, date(2025, 10, 21)],
        market_price=[1.0] * 4,
        name=[None, "Pikchu", None, "Pikachu"],
        set_name=["Base"] * 4,
        number=["25/102"] * 4,
        released=[None, "1999-01-09", None, None],
    )

    a, b = found.cards.to_pylist()
    assert (a["name"], a["slug"], a["released"], a["set_id"]) == (
        "Pikachu",
        "pikachu_25",
        date(1999, 1, 9),
        "Base",
    )
    assert (b["name"], b["slug"], b["released"]) == ("b", "b", None)


TEXTS = st.sampled_from(["a", "A", "", "2025-10-22", "1995-01-01", "x", "1", "-1.5", "1e400", None])


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), max_size=10))
def test_every_row_is_kept_or_rejected(rows: list[tuple[str | None, ...]]) -> None:
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(4)]

    found = read_panel(
        pa.table(columns, names=["card_id", "date", "market_price", "volume"]),
        "file",
        "USD",
        TODAY,
        NOW,
    )

    assert found.prices.num_rows + found.rejected.num_rows == len(rows)
    assert set(found.prices["card_id"].to_pylist()) == set(found.cards["card_id"].to_pylist())
