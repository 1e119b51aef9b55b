"""Prices that people type: read exactly, or refused with how to write them."""

import pytest

from pokewatch.money import parse_money, typed_price


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("3.50", 3.5, None),
        ("3,50", 3.5, None),
        ("$3.50", 3.5, "USD"),
        ("3,50 \u20ac", 3.5, "EUR"),
        ("EUR 3,50", 3.5, "EUR"),
        ("1.234,56", 1234.56, None),
        ("1,234.56", 1234.56, None),
        ("1'234.50", 1234.5, None),
        ("1\u2019234,50 CHF", 1234.5, "CHF"),
        ("1\u00a0234,50", 1234.5, None),
        ("1,234,567", 1234567.0, None),
        ("1.2340", 1.234, None),
        ("0.125", 0.125, None),
        (" \uff11\uff12.\uff15 ", 12.5, None),
    ],
)
def test_a_price_is_read_as_people_write_it(text: str, amount: float, currency: str | None) -> None:
    price = typed_price(text)
    assert (price, price.currency) == (amount, currency)


@pytest.mark.parametrize("text", ["", "x", "1_0", "1.2.3", "nan", "inf", "3.50 bananas", "$3 EUR"])
def test_other_texts_are_no_prices(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a price such as 3\.50$"):
        typed_price(text)


@pytest.mark.parametrize("text", ["12,345", "12.345"])
def test_two_readings_are_refused_with_both_ways_to_write_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"may be 12.345 or 12345: write 12345, or 12.3450$"):
        typed_price(text)
    assert [typed_price(each) for each in ("12345", "12.3450")] == [12345, 12.345]


def test_the_bounds_are_named() -> None:
    with pytest.raises(ValueError, match=r"'0' is not a price: use a number above zero$"):
        typed_price("0")
    with pytest.raises(ValueError, match=r"use a number of at least zero, up to 100$"):
        typed_price("-1", 100, zero=True)
    assert not typed_price("0", zero=True)


@pytest.mark.parametrize(
    "text",
    [
        "+" + " " * 20_000 + "x",
        "$" + " " * 20_000 + "x",
        "1" + " " * 20_000 + "xxxxxx",
        "1 " * 9_999,
    ],
    ids=["sign", "unit", "number", "groups"],
)
def test_a_long_run_of_spaces_takes_no_longer_than_other_text(text: str) -> None:
    assert parse_money(text) is None
