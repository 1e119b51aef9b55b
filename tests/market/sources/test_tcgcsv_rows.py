import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.market.quality.cleaning import clean_rows
from pokewatch.market.sources.parsing import parse_json
from pokewatch.market.sources.tcgcsv_rows import (
    BadEnvelopeError,
    Listing,
    PriceRows,
    card_id_of,
    card_rows,
    results,
)
from tests.market.upstream import price

DAY = date(2025, 10, 22)
NOW = datetime(2025, 10, 23, 1, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["productId", "subTypeName", "marketPrice", "lowPrice"]), inner
        )
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (price(0), "productId is not a positive whole number"),
        (price(True), "productId is not a positive whole number"),
        ({"marketPrice": 1.0, "subTypeName": "Normal"}, "productId is not a positive whole number"),
        (price(1) | {"productId": "1"}, "productId is not a positive whole number"),
        (price(1, printing=None), "subTypeName (the printing) is missing"),
        (price(1, printing=" "), "subTypeName (the printing) is missing"),
        (price(1, "12.50"), "marketPrice is not a number"),
        (price(1, True), "marketPrice is not a number"),
        (price(1, float("nan")), "marketPrice is not a finite number"),
        (price(1, 10**400), "marketPrice is not a finite number"),
        ("a text", "the row is not an object"),
        (None, "the row is not an object"),
    ],
)
def test_rows_that_are_none_are_rejected_with_the_reason(row: Any, reason: str) -> None:
    rows = PriceRows(DAY)

    rows.add(3, 9, [price(2), row])

    assert rows.prices("tcgcsv", NOW)["card_id"].to_pylist() == ["tcgplayer-2-normal"]
    (rejected,) = rows.rejections().to_pylist()
    assert (rejected["date"], rejected["reason"]) == (DAY, reason)
    assert rejected["row"] == json.dumps(row)


@pytest.mark.parametrize("ask", [float("inf"), 10**400, "sold out", True, [1], {}])
def test_an_ask_that_is_no_number_costs_itself_and_not_the_row(ask: Any) -> None:
    rows = PriceRows(DAY)

    rows.add(3, 9, [price(1, 5.0, lowPrice=ask)])
    cleaned, changes = clean_rows(rows.prices("tcgcsv", NOW), 1_000_000.0)

    assert rows.rejections().num_rows == 0
    assert cleaned.select(["market_price", "low_price"]).to_pylist() == [
        {"market_price": 5.0, "low_price": None}
    ]
    assert changes == {"low_price is not a price up to 1,000,000: left empty": 1}


@given(st.lists(JSON, max_size=8))
def test_every_row_is_kept_or_rejected(given_rows: list[Any]) -> None:
    rows = PriceRows(DAY)

    rows.add(3, 1, given_rows)

    assert rows.prices("tcgcsv", NOW).num_rows + rows.rejections().num_rows == len(given_rows)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"results": {}, "success": True},
        {"results": [], "success": "true"},
        {"results": []},
    ],
)
def test_other_envelopes_are_refused(body: Any) -> None:
    with pytest.raises(BadEnvelopeError):
        results(body)


def test_the_id_of_a_card_is_product_and_printing() -> None:
    assert card_id_of(42, "1st Edition Holofoil") == "tcgplayer-42-1st-edition-holofoil"


def test_a_number_hung_on_a_name_is_taken_off() -> None:
    details = [{"name": "Number", "value": "172/086"}]
    products = {
        1: {"name": "Zekrom ex - 172/086", "extendedData": details},
        2: {"name": " - 172/086", "extendedData": details},
    }

    cards = card_rows(
        [
            Listing("a", 1, "Holofoil", 3, 5),
            Listing("b", 2, "Holofoil", 3, 5),
            Listing("c", 3, "Holofoil", 3, 5),
        ],
        products,
        {},
    )

    assert cards["name"].to_pylist() == ["Zekrom ex", "- 172/086", "c"]
    assert cards["slug"].to_pylist()[0] == "zekrom_ex_172"


@pytest.mark.timeout(60)
def test_nested_json_whose_text_never_ends_is_refused_in_proportion_to_its_length() -> None:
    with pytest.raises(ValueError, match="Extra data"):
        parse_json("[" * 100_000 + "]" * 100_000 + ', "' + '\\"' * 300_000)
