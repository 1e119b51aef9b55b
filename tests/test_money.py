"""Prices that people type: read exactly, or refused with how to write them; amounts in cents."""

import math
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.money import (
    currencies_named,
    currency_named,
    currency_of,
    in_cents,
    parse_money,
    typed_price,
)


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("3.50", 3.5, None),
        ("3,50", 3.5, None),
        ("$3.50", 3.5, "USD"),
        ("US $3.50", 3.5, "USD"),
        ("USD $1,234.50", 1234.5, "USD"),
        ("C $3.50", 3.5, "CAD"),
        ("3,50 \u20ac", 3.5, "EUR"),
        ("EUR 3,50", 3.5, "EUR"),
        ("3,50 Euro", 3.5, "EUR"),
        ("1.234,56", 1234.56, None),
        ("1,234.56", 1234.56, None),
        ("1'234.50", 1234.5, None),
        ("1\u2019234,50 CHF", 1234.5, "CHF"),
        ("1\u00a0234,50", 1234.5, None),
        ("1,234,567", 1234567.0, None),
        ("1.2340", 1.234, None),
        ("5,-", 5.0, None),
        ("5,\u2013 \u20ac", 5.0, "EUR"),
        ("CHF 1'234.--", 1234.0, "CHF"),
        ("1.234,-", 1234.0, None),
        ("0.125", 0.125, None),
        (" \uff11\uff12.\uff15 ", 12.5, None),
    ],
)
def test_a_price_is_read_as_people_write_it(text: str, amount: float, currency: str | None) -> None:
    price = typed_price(text)
    assert (price, price.currency) == (amount, currency)


@pytest.mark.parametrize(
    "text", ["", "x", "1_0", "1.2.3", "nan", "inf", "3.50 bananas", "$3 EUR", "5-", "5,-3"]
)
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
    with pytest.raises(ValueError, match=r"use a number of at least 0, up to 100$"):
        typed_price("-1", 0, 100)
    assert not typed_price("0", 0)
    with pytest.raises(ValueError, match=r"'0.01' is not a price: use a number of at least 0.05$"):
        typed_price("0.01", 0.05)


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


@pytest.mark.parametrize(
    ("name", "currency"),
    [
        ("Price", None),
        ("Price ($)", "USD"),
        ("Price$", "USD"),
        ("Low$", "USD"),
        ("Price (US$)", "USD"),
        ("price_eur", "EUR"),
        ("Preis in Euro", "EUR"),
        ("Europe price", None),
        ("価格(円)", "JPY"),
        ("価格円", "JPY"),
        ("Price (C$)", "CAD"),
        ("Price (CA$)", "CAD"),
        ("Price CAD $", "CAD"),
        ("Price ($CAD)", "CAD"),
        ("Price A$", "AUD"),
        ("Price (HK$)", "HKD"),
        ("Price (NT$)", "TWD"),
        ("price_krw", "KRW"),
        ("Cena (zł)", "PLN"),
    ],
)
def test_the_currency_in_the_name_of_a_column(name: str, currency: str | None) -> None:
    assert currency_named(name) == currency
    assert currencies_named(name) == ({currency} if currency else set())


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("EUR", "EUR"),
        (" eur ", "EUR"),
        ("€", "EUR"),
        ("Euro", "EUR"),
        ("EUR (€)", "EUR"),
        ("$", "USD"),
        ("US$", "USD"),
        ("US Dollar", "USD"),
        ("CA$", "CAD"),
        ("USD EUR", None),
        ("USD/EUR", None),
        ("dollar", None),
        ("", None),
    ],
)
def test_a_currency_alone(text: str, currency: str | None) -> None:
    assert currency_of(text) == currency


@given(
    price=st.integers(1, 10_000_000),
    factor=st.integers(1, 100),
    copies=st.integers(1, 9_999),
    sign=st.sampled_from((1, -1)),
)
def test_amounts_are_rounded_as_decimal_numbers_are(
    price: int, factor: int, copies: int, sign: int
) -> None:
    exact = sign * Decimal(price) / 100 * factor / 100 * copies
    amount = sign * (price / 100) * (factor / 100) * copies
    assert in_cents(amount) == float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))


@pytest.mark.parametrize("amount", [math.inf, -math.inf])
def test_what_is_not_finite_is_not_rounded(amount: float) -> None:
    assert in_cents(amount) == amount
    assert math.isnan(in_cents(math.nan))


@pytest.mark.parametrize("amount", [6e11, 1e12, 123_456_789_012.34, 1e15, 1e308])
def test_a_sum_of_any_size_that_is_in_cents_stays_as_it_is(amount: float) -> None:
    assert in_cents(amount) == amount
    assert in_cents(-amount) == -amount


def test_less_than_half_a_cent_has_no_sign() -> None:
    assert math.copysign(1.0, in_cents(-0.004)) == 1.0
