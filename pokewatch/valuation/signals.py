"""Signals: the values of a price book with the decision on each, as plain data."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.contract import DEFAULT_MIN_PRICE, NEAR_MINT, Condition
from pokewatch.decision import (
    HOLD,
    Advice,
    Decisions,
    Distribution,
    FeeSchedule,
    Thresholds,
    advise,
    decide,
    fees_for,
)
from pokewatch.errors import SettingsError, UnknownDateError
from pokewatch.settings import DecisionSettings
from pokewatch.valuation.book import BookQuotes, PriceBook


def value_cards(
    book: PriceBook,
    cards: Sequence[str],
    day: date | None = None,
    price: float | None = None,
    condition: Condition = NEAR_MINT,
    fees: str | None = None,
) -> list[dict[str, Any]]:
    """Return the value of each card (id or slug) on `day`, the latest if None, with its signal.

    The signal and the advice are for `price`, of a copy in `condition`, or for the market price if
    None. Unknown numbers are None. Raise UnknownCardError with similar slugs, UnknownDateError for
    a day outside the book, ValueError for fees in another currency than the prices.
    """
    settings = DecisionSettings.read()
    schedule = configured_fees(book.facts.currency, fees)
    if day is not None and not book.first_day <= day <= book.last_day:
        raise UnknownDateError(
            day.isoformat(), book.first_day.isoformat(), book.last_day.isoformat()
        )
    positions = np.array([book.cards.position(card) for card in cards], dtype=np.intp)
    days = None if day is None else np.full(len(cards), np.datetime64(day))
    quotes = book.look_up(cards, days).scaled(settings.condition_factors()[condition])
    prices = quotes.market if price is None else np.full(len(cards), price)
    decided = decide_quotes(prices, quotes)
    advice = advise(prices, decided, schedule, settings.advice_probability)
    described = book.cards.describe(positions)
    return [
        {
            "card_id": card["card_id"],
            "slug": card["slug"],
            "name": card["name"],
            "date": str(quotes.date[row]),
            "currency": book.facts.currency,
            "condition": condition,
            "market_price": finite(prices[row]),
            "fair_price": finite(quotes.fair[row]),
            "lower": finite(quotes.lower[row]),
            "upper": finite(quotes.upper[row]),
            "status": str(quotes.status[row]),
            "signal": str(decided.signal[row]),
            "deviation_pct": finite(decided.deviation_pct[row]),
            "confidence": finite(decided.confidence[row]),
            "reason": str(decided.reason[row]),
            **_advice(advice, row),
            "fees": schedule.name,
        }
        for row, card in enumerate(described)
    ]


def strongest_signals(book: PriceBook, count: int) -> list[str]:
    """Return the ids of `count` cards.

    Cards with a BUY or SELL come first, by their distance from the fair price; then the others, the
    most expensive first. Those below DEFAULT_MIN_PRICE come last.
    """
    quotes = book.latest(distributions=True)
    decided = decide_quotes(quotes.market, quotes)
    distance = np.where(decided.signal == HOLD, -1.0, np.abs(np.nan_to_num(decided.deviation_pct)))
    market = np.nan_to_num(quotes.market)
    order = np.lexsort((-market, -distance, market < DEFAULT_MIN_PRICE))[:count]
    return [card["card_id"] for card in book.cards.describe(quotes.position[order])]


def strongest_values(book: PriceBook, count: int) -> list[dict[str, Any]]:
    """Return the latest values of the cards of `strongest_signals`."""
    return value_cards(book, strongest_signals(book, count))


def configured_thresholds() -> Thresholds:
    """Return the thresholds of the settings."""
    settings = DecisionSettings.read()
    return Thresholds(settings.buy_threshold_pct, settings.sell_threshold_pct)


def configured_fees(currency: str, name: str | None = None) -> FeeSchedule:
    """Return the fee schedule of prices in `currency`: the one named, or that of the settings.

    Raise ValueError if the fees named are in another currency, SettingsError if those of the
    settings are.
    """
    settings = DecisionSettings.read()
    try:
        return fees_for(currency, name or settings.fees, settings.postage)
    except ValueError as error:
        if name or not settings.fees:
            raise
        raise SettingsError(
            f"{settings.variable('fees')} {settings.fees!r}: {error}, or leave it unset"
        ) from None


def decide_quotes(prices: NDArray[np.float64], quotes: BookQuotes) -> Decisions:
    """Return the decision on each price [n] by the quotes of its card and the settings."""
    return decide(
        prices,
        quotes.fair,
        quotes.lower,
        quotes.upper,
        quotes.status,
        distribution=Distribution.from_array(quotes.distribution),
        thresholds=configured_thresholds(),
        on_fault="hold",
    )


def _advice(advice: Advice, row: int) -> dict[str, Any]:
    return {
        "buy_below": finite(advice.buy_below[row]),
        "sell_above": finite(advice.sell_above[row]),
        "chance_to_earn": finite(advice.chance_to_earn[row]),
        "advice": str(advice.reason[row]),
    }


def finite(value: float) -> float | None:
    """Return a number of an array, None for NaN and infinity, which JSON does not have."""
    return float(value) if np.isfinite(value) else None
