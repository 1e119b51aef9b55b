"""Prices as people write and round them.

What one text means is never guessed: "1,234" has two readings. A column of them may tell which;
a price that is typed alone is refused.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

from pokewatch.plain_text import plain, without_apostrophe

Decimal = Literal["point", "comma"]

_SHOWN = 40  # characters of a text that is refused

_SYMBOLS = {
    "$": "USD",
    "US$": "USD",
    "USD$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "￥": "JPY",
    "円": "JPY",
    "C$": "CAD",
    "A$": "AUD",
    "CA$": "CAD",
    "R$": "BRL",
    "AU$": "AUD",
    "HK$": "HKD",
    "NT$": "TWD",
    "NZ$": "NZD",
    "S$": "SGD",
    "MX$": "MXN",
    "ZŁ": "PLN",
    "₩": "KRW",
    "EURO": "EUR",
    "EUROS": "EUR",
    "US DOLLAR": "USD",
    "US DOLLARS": "USD",
}
_CODES = frozenset(
    {
        "USD",
        "EUR",
        "GBP",
        "JPY",
        "CAD",
        "AUD",
        "CHF",
        "PLN",
        "SEK",
        "NOK",
        "DKK",
        "CZK",
        "BRL",
        "MXN",
        "CNY",
        "HKD",
        "KRW",
        "NZD",
        "SGD",
        "TWD",
    }
)
CURRENCY_SIGN = r"[^\W\d_]{0,2}[$€£¥￥₩]"  # with the letters before it: "CA$"
_UNIT_IN_NAME = re.compile(rf"{CURRENCY_SIGN}|[^\W\d_]+")
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u2007\u2002\u2003\ufeff"), " ")
_DASHES = dict.fromkeys(map(ord, "\u2212\u2013\u2014"), "-")
_APOSTROPHES = dict.fromkeys(map(ord, "\u2019\u02bc"), "'")
_ARABIC = {0x066B: ".", 0x066C: ","}
_AS_TYPED = _SPACES | _DASHES | _APOSTROPHES | _ARABIC
_UNIT = r"[^\d\s.,'+\-()]{1,5}"
# No two parts that may match the same spaces stand side by side: a long run of them, where the
# text is no number, would otherwise take time with the cube of its length.
_MONEY = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?P<before>{_UNIT})\s*)?(?:(?P<inner>[-+])\s*)?"
    r"(?P<number>(?:[\d.,'][\d.,' ]*)?\d[.,]?(?:[eE][-+]?\d{1,3})?)"
    rf"(?:\s*(?P<after>{_UNIT}))?"
)
_PRECISE = 1e10  # below it, _NOISE is a small part of a cent
_NOISE = 1e-9  # cents, and 1e-14 of the amount: more than what products of floats are off by
_PLACE_BEFORE_SIGN = re.compile(r"(?<=[A-Za-z]) (?=\$)")  # "US $3.50", as eBay writes it
_NO_CENTS = re.compile(r"(?<=\d)([.,])--?(?![\d-])")  # "5,- €" and "CHF 5.-"
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:(?P<mark>[.,' ])\d{3})(?:(?P=mark)\d{3})*")
_PLAIN = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Money:
    """The number in one cell under each decimal mark, None if it is not one, and its currency."""

    as_point: float | None
    as_comma: float | None
    currency: str | None = None

    @property
    def readings(self) -> tuple[float, ...]:
        """Return the different numbers the cell may mean."""
        return tuple({value for value in (self.as_point, self.as_comma) if value is not None})

    def value(self, decimal: Decimal) -> float | None:
        """Return the number under a decimal mark."""
        return self.as_point if decimal == "point" else self.as_comma


class Price(float):
    """A price that was typed, and the currency that it was given in, None if it had none."""

    currency: str | None = None


def typed_price(text: str, least: float | None = None, most: float = math.inf) -> Price:
    """Return a price that was typed alone, from `least` (else above zero) up to `most`.

    Raise ValueError, whose message says how to write it, if it is not a price or may be two.
    """
    shown = repr(text[:_SHOWN])
    money = parse_money(text)
    if money is None:
        raise ValueError(f"{shown} is not a price such as 3.50")
    if len(money.readings) > 1:
        fraction, whole = sorted(money.readings, key=abs)
        ways = f"{whole:.15g}, or {fraction:.4f}"
        raise ValueError(f"{shown} may be {fraction:.15g} or {whole:.15g}: write {ways}")
    price = Price(money.readings[0])
    if not (price > 0 if least is None else price >= least) or price > most:
        bounds = "above zero" if least is None else f"of at least {least:g}"
        if most < math.inf:
            bounds += f", up to {most:,.0f}"
        raise ValueError(f"{shown} is not a price: use a number {bounds}")
    price.currency = money.currency
    return price


def in_cents(amount: float) -> float:
    """Return an amount rounded to cents, a half of one away from zero, as in a spreadsheet.

    The half is that of the decimal number: 0.83 * 0.85 * 10 is 7.055, and 7.06 here, although the
    nearest float is below it. From 1e10 on, the float itself is rounded. What is not finite
    stays as it is.
    """
    if not abs(amount) < _PRECISE:
        return round(amount, 2)
    cents = math.floor(abs(amount) * (100.0 + 1e-12) + 0.5 + _NOISE)
    return math.copysign(cents / 100.0, amount) if cents else 0.0


def parse_money(text: str) -> Money | None:
    """Return the number in a cell such as "$1,234.50", "12,33 €" or "EUR 1'234.50", else None."""
    typed = _NO_CENTS.sub(r"\g<1>00", as_typed(text))
    match = _MONEY.fullmatch(_PLACE_BEFORE_SIGN.sub("", typed))
    if match is None or (match["sign"] and match["inner"]):
        return None
    currencies = [_currency(match[place]) for place in ("before", "after") if match[place]]
    if None in currencies or len(set(currencies)) > 1:
        return None
    number = match["number"].strip()
    exponent = re.search(r"[eE][-+]?\d+$", number)
    digits, power = (number[: exponent.start()], exponent[0]) if exponent else (number, "")
    negative = "-" if (match["sign"] or match["inner"]) == "-" else ""
    point, comma = (_number(negative, digits, power, mark) for mark in (".", ","))
    if point is None and comma is None:
        return None
    return Money(point, comma, currencies[0] if currencies else None)


def as_typed(text: str) -> str:
    """Return the cell as a keyboard with ASCII digits and marks would write it."""
    return without_apostrophe(plain(text.translate(_AS_TYPED)).strip())


def currency_named(text: str) -> str | None:
    """Return the currency in a column's name such as "Price ($)", "price_eur" or "Preis in Euro".

    A code is not mistaken: the dollar of "Price (CAD $)" is that of Canada.
    """
    return next(iter(_currencies_named(text)), None)


def currencies_named(text: str) -> set[str]:
    """Return all currencies in a column's name: both of "Price (USD/EUR)"."""
    return set(_currencies_named(text))


def _currencies_named(text: str) -> list[str]:
    units = _UNIT_IN_NAME.findall(text.upper())
    codes = [unit for unit in units if unit in _CODES]
    signs = [each for unit in units for each in ([unit] if unit in _SYMBOLS else unit)]
    return codes or [_SYMBOLS[each] for each in signs if each in _SYMBOLS]


def currency_of(text: str) -> str | None:
    """Return the currency that a text names and nothing else: "EUR", "€", "Euro" or "EUR (€)"."""
    named = {_currency(unit) for unit in re.findall(r"[^\s()]+", text)}
    return _currency(text) or (named.pop() if len(named) == 1 else None)


def _currency(text: str) -> str | None:
    unit = text.strip().upper()
    return _SYMBOLS.get(unit) or (unit if unit in _CODES else None)


def _number(sign: str, digits: str, power: str, decimal: str) -> float | None:
    """Return the number if `decimal` is the decimal mark and other marks group thousands."""
    whole, mark, fraction = digits.partition(decimal)
    if mark and not (fraction == "" or _PLAIN.fullmatch(fraction)):
        return None
    if whole and not (_PLAIN.fullmatch(whole) or _GROUPED.fullmatch(whole)):
        return None
    if _GROUPED.fullmatch(whole) and decimal in whole:
        return None
    whole = re.sub(r"[.,' ]", "", whole)
    if not whole and not fraction:
        return None
    value = float(f"{sign}{whole or '0'}.{fraction or '0'}{power}")
    return value if value not in (float("inf"), float("-inf")) else None
