"""The conditions of watches, and whether they hold on a market day.

Prices are in the currency of the watch. This module needs no data library, because the gateway
imports it.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

from pokewatch.contract import (
    MAX_PRICE,
    MAX_WATCH_CHANGE,
    MAX_WATCH_DAYS,
    MIN_PRICE,
    MIN_WATCH_CHANGE,
    UNKNOWN_CARD,
)
from pokewatch.wording import counted

ConditionType = Literal["below", "above", "signal", "moves"]
WatchSignal = Literal["BUY", "SELL"]

# Why a condition cannot be judged
NO_PRICE = "no_market_price"
NO_EARLIER_PRICE = "no_earlier_price"
OTHER_CURRENCY = "other_currency"

REASONS = {
    UNKNOWN_CARD: "the card is not in the price book",
    NO_PRICE: "the card has no market price on the latest day",
    NO_EARLIER_PRICE: "the card has no market price on the day to compare with",
    OTHER_CURRENCY: "the prices are in another currency than the watch",
}

_MOVES = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,4})?)%/([0-9]{1,4})d")
_ROUNDING = 1e-9  # so that a move from 100 to 90 is one of 10%


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition: `price` for below and above, `signal`, or `change` (a fraction) in `days`.

    Raise ValueError for a value that is missing, not finite or out of range.
    """

    type: ConditionType
    price: float | None = None
    signal: WatchSignal | None = None
    change: float | None = None
    days: int | None = None

    def __post_init__(self) -> None:
        given = {name for name in ("price", "signal", "change", "days") if self._has(name)}
        wanted = {"signal": {"signal"}, "moves": {"change", "days"}}.get(self.type, {"price"})
        if given != wanted:
            raise ValueError(f"a condition {self.type!r} has {', '.join(sorted(wanted))} alone")
        _check_range("price", self.price, MIN_PRICE, MAX_PRICE)
        _check_range("change", self.change, MIN_WATCH_CHANGE, MAX_WATCH_CHANGE)
        _check_range("days", self.days, 1, MAX_WATCH_DAYS)
        if self.signal not in (None, "BUY", "SELL"):
            raise ValueError(f"signal: got {self.signal!r}, expected BUY or SELL")

    @property
    def has_currency(self) -> bool:
        """Whether the condition is about an amount of money."""
        return self.price is not None

    def text(self, currency: str | None) -> str:
        """Return the condition in words: `at or below 40.00 USD`.

        A fraction of a cent is not rounded: 3.46 does not meet `at or below 3.456 USD`.
        """
        if self.price is not None:
            cents = abs(round(self.price, 2) - self.price) < 1e-9
            price = f"{self.price:,.2f}" if cents else f"{self.price:,.15g}"
            return f"at or {self.type} {price} {currency}"
        if self.signal is not None:
            return f"signal {self.signal}"
        return f"moves {100 * (self.change or 0):g}% in {counted(self.days or 0, 'day')}"

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None


@dataclass(frozen=True, slots=True)
class CardDay:
    """A card on the latest market day; prices are None where there is none.

    `earlier` is that of `days` of the condition before, or of the last day with prices before that.
    """

    known: bool
    currency: str
    market: float | None
    signal: str
    earlier: float | None = None


def parse_moves(text: str) -> Condition:
    """Return a text such as `10%/7d` as a condition. Raise ValueError for anything else."""
    match = _MOVES.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"got {text[:40]!r}, expected a percentage and days, such as 10%/7d")
    return Condition("moves", change=float(match[1]) / 100, days=int(match[2]))


def holds(condition: Condition, currency: str | None, card: CardDay) -> bool | str:
    """Return whether the condition holds, or why it cannot be judged (a key of REASONS)."""
    if condition.has_currency and card.currency != currency:
        return OTHER_CURRENCY
    if not card.known:
        return UNKNOWN_CARD
    if card.market is None:
        return NO_PRICE
    if condition.price is not None:
        below = condition.type == "below"
        return card.market <= condition.price if below else card.market >= condition.price
    if condition.change is None:
        return card.signal == condition.signal
    if card.earlier is None or card.earlier <= 0:
        return NO_EARLIER_PRICE
    moved = abs(card.market - card.earlier) / card.earlier
    return moved >= condition.change - _ROUNDING


def _check_range(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not (math.isfinite(value) and least <= value <= most):
        raise ValueError(f"{name}: got {value}, expected a number from {least:g} to {most:,.0f}")
