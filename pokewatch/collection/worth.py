"""The worth of a collection: by line and in all, now and at the horizon.

A price is that of a near mint copy times a factor for the line's condition, which the settings
assume. Amounts are in the currency of the market.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.collection.card_index import Progress
from pokewatch.collection.costs import comparable_costs, cost_fields, currency_notes
from pokewatch.collection.exports import Collection, CollectionLine
from pokewatch.collection.matching import OTHER_PRODUCT, Match, Matcher
from pokewatch.collection.portfolio import total_interval
from pokewatch.decision import Decisions, Distribution, FeeSchedule, advise
from pokewatch.decision.distribution import predictive_cdf
from pokewatch.money import in_cents
from pokewatch.settings import DecisionSettings
from pokewatch.valuation.book import BookQuotes, PriceBook
from pokewatch.valuation.signals import configured_fees, decide_quotes
from pokewatch.wording import counted

Floats = NDArray[np.float64]

SELL, KEEP, UNSURE = "sell", "keep", "unsure"
_AMOUNTS = (
    "market_price",
    "fair_price",
    "lower",
    "upper",
    "market_total",
    "fair_total",
    "proceeds_now",
    "gain_of_selling",
    "chance_of_fall",
    "sell_above",
    "cost_total",
    "profit",
)
_CARD = {
    "card_id": "card_id",
    "card": "slug",
    "card_name": "name",
    "set_name": "set_name",
    "number": "number",
    "printing": "printing",
}
_NO_CARD: dict[str, Any] = dict.fromkeys(_CARD)
_UNVALUED: dict[str, Any] = {
    **dict.fromkeys(_AMOUNTS),
    "status": None,
    "signal": None,
    "advice": None,
}


@dataclass(frozen=True, slots=True)
class _Valued:
    """The lines that have a price, and their columns [n] per copy."""

    rows: list[int]
    quantity: Floats
    factor: Floats  # of the condition
    quotes: BookQuotes
    proceeds: Floats
    later: Floats
    cost: Floats  # NaN where it is not known
    decided: Decisions
    sell_above: Floats
    chance_of_fall: Floats


def value_collection(
    book: PriceBook,
    matcher: Matcher,
    collection: Collection,
    fees: str | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Return the collection's lines with their worth, and totals, as plain data.

    `matcher` is that of the book. `progress` is as for `match_all`. Raise ValueError for fees in
    another currency than the market.
    """
    settings = DecisionSettings.read()
    schedule = configured_fees(book.facts.currency, fees)
    matches = matcher.match_all(collection.lines, progress)
    valued = _value(book, collection, matches, schedule, settings)
    lines = _described(book, collection, matches)
    worth = dict(zip(valued.rows, _worths(valued), strict=True))
    for row, line in enumerate(collection.lines):
        found = worth.get(row, _UNVALUED)
        lines[row] |= found | {"why_unvalued": _why_unvalued(line, matches[row], found)}
    return {
        "app": collection.app or None,
        "date": book.last_day.isoformat(),
        "currency": book.facts.currency,
        "source": book.facts.source,
        "horizon": book.facts.horizon,
        "fees": schedule.name,
        "condition_factors": settings.condition_factors(),
        "counts": _counts(collection, matches),
        "totals": _totals(book, valued),
        "lines": lines,
        "refused": [
            {"line": each.line, "text": each.text, "reason": each.reason}
            for each in collection.refused
        ],
        "notes": [
            *collection.notes,
            *_notes(collection.lines, matches),
            *currency_notes(collection.costs, book.facts.currency),
        ],
    }


def _notes(lines: Sequence[CollectionLine], matches: Sequence[Match]) -> Iterator[str]:
    """Yield how many lines are matched in spite of the product id that they have."""
    pairs = zip(lines, matches, strict=True)
    doubtful = [
        line.line
        for line, match in pairs
        if match.outcome == "matched" and match.reason.endswith(OTHER_PRODUCT)
    ]
    if doubtful:
        verb = "is" if len(doubtful) == 1 else "are"
        yield (
            f"{counted(len(doubtful), 'line')} {verb} matched by name, with a product id of "
            f"another card (first line {doubtful[0]})"
        )


def _value(
    book: PriceBook,
    collection: Collection,
    matches: Sequence[Match],
    fees: FeeSchedule,
    settings: DecisionSettings,
) -> _Valued:
    lines, factors = collection.lines, settings.condition_factors()
    rows = [
        at
        for at, (line, match) in enumerate(zip(lines, matches, strict=True))
        if match.outcome == "matched" and line.condition is not None and not line.grade
    ]
    cards = [book.cards.ids[matches[at].position] for at in rows]
    factor = np.array([factors[lines[at].condition or "NM"] for at in rows], dtype=np.float64)
    quotes = book.look_up(cards).scaled(factor)
    decided = decide_quotes(quotes.market, quotes)
    advice = advise(quotes.market, decided, fees, settings.advice_probability)
    return _Valued(
        rows,
        np.array([lines[at].quantity for at in rows], dtype=np.float64),
        factor,
        quotes,
        np.maximum(fees.proceeds(quotes.market), 0.0),
        np.maximum(fees.proceeds(quotes.fair), 0.0),
        comparable_costs(collection.costs, [lines[at].line for at in rows], book.facts.currency),
        decided,
        advice.sell_above,
        predictive_cdf(Distribution.from_array(quotes.distribution), quotes.market, "left"),
    )


def _described(
    book: PriceBook, collection: Collection, matches: Sequence[Match]
) -> list[dict[str, Any]]:
    """Return each line as it is read, and the card that it is matched to."""
    costs = collection.costs
    positions = [match.position for match in matches if match.outcome == "matched"]
    cards = iter(book.cards.describe(np.array(positions, dtype=np.intp)))
    slugs = book.cards.slugs
    return [
        {
            "line": line.line,
            "name": line.title,
            "quantity": line.quantity,
            "condition": line.condition,
            "grade": line.grade or None,
            **cost_fields(costs.get(line.line)),
            "outcome": match.outcome,
            "reason": match.reason,
            **(_named(next(cards)) if match.outcome == "matched" else _NO_CARD),
            "candidates": [slugs[at] for at in match.candidates],
        }
        for line, match in zip(collection.lines, matches, strict=True)
    ]


def _named(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells a card from others of its name."""
    return {field: card[name] for field, name in _CARD.items()}


def _worths(valued: _Valued) -> list[dict[str, Any]]:
    """Return the worth of each line: prices per copy, and totals for all of its copies."""
    quotes, quantity = valued.quotes, valued.quantity
    status = list(map(str, quotes.status))
    now, later, paid = (
        _cents(each * quantity) for each in (valued.proceeds, valued.later, valued.cost)
    )
    market, sell_above = _cents(quotes.market).tolist(), valued.sell_above.tolist()
    columns = {
        "market_price": _numbers(quotes.market),
        "fair_price": _numbers(quotes.fair),
        "lower": _numbers(quotes.lower),
        "upper": _numbers(quotes.upper),
        "status": status,
        "signal": list(map(str, valued.decided.signal)),
        "market_total": _numbers(quotes.market * quantity),
        "fair_total": _numbers(quotes.fair * quantity),
        "proceeds_now": _numbers(now),
        "gain_of_selling": _numbers(now - later),
        "chance_of_fall": _numbers(valued.chance_of_fall, lambda chance: round(chance, 4)),
        "sell_above": _numbers(valued.sell_above),
        "cost_total": _numbers(paid),
        "profit": _numbers(now - paid),
        "advice": list(map(_advice, market, sell_above, status)),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _advice(market: float, sell_above: float, status: str) -> str:
    """Return whether to sell now, by the price at which selling beats keeping.

    Both are in cents, as the answer has them.
    """
    if status != "ok" or not (isfinite(market) and isfinite(sell_above)):
        return UNSURE
    return SELL if market >= sell_above else KEEP


def _why_unvalued(line: CollectionLine, match: Match, worth: dict[str, Any]) -> str | None:
    """Return why a line is not in the totals, None if it is."""
    if match.outcome != "matched":
        return match.outcome
    if line.grade:
        return f"there are no prices of graded copies ({line.grade})"
    if line.condition is None:
        return f"the condition {line.condition_text!r} is not known"
    if worth["market_price"] is None:
        return "the card has no market price on this day"
    return None if worth["fair_price"] is not None else "the card has no fair price on this day"


def _counts(collection: Collection, matches: Sequence[Match]) -> dict[str, dict[str, int]]:
    """Return the lines and copies of each outcome."""
    found = {
        outcome: {"lines": 0, "copies": 0} for outcome in ("matched", "ambiguous", "unmatched")
    }
    for line, match in zip(collection.lines, matches, strict=True):
        found[match.outcome]["lines"] += 1
        found[match.outcome]["copies"] += line.quantity
    found["refused"] = {"lines": len(collection.refused), "copies": 0}
    return found


def _totals(book: PriceBook, valued: _Valued) -> dict[str, Any]:
    """Return the sums of the lines with a market price, and the interval of the fair total.

    Each line is rounded to cents first, so that the amounts of the lines add up to the totals.
    """
    priced = np.isfinite(valued.quotes.market) & np.isfinite(valued.quotes.fair)
    quantity = np.where(priced, valued.quantity, 0.0)
    interval = total_interval(book, valued.quotes.position, quantity * valued.factor)

    def total(prices: Floats, copies: Floats = quantity) -> float:
        return in_cents(float(np.nansum(_cents(prices * copies))))

    fair = total(valued.quotes.fair)
    paid = np.where(np.isfinite(valued.cost), quantity, 0.0)
    cost = total(valued.cost, paid) if paid.any() else None
    profit = None if cost is None else in_cents(total(valued.proceeds, paid) - cost)
    return {
        "copies": int(quantity.sum()),
        "market": total(valued.quotes.market),
        "fair": fair,
        "lower": None if interval is None else in_cents(fair * interval[0]),
        "upper": None if interval is None else in_cents(fair * interval[1]),
        "proceeds_now": total(valued.proceeds),
        "proceeds_at_horizon": total(valued.later),
        "copies_with_cost": int(paid.sum()),
        "cost": cost,
        "profit": profit,
    }


def _cents(amounts: Floats) -> Floats:
    return np.array([in_cents(amount) for amount in amounts.tolist()], dtype=np.float64)


def _numbers(values: Floats, rounded: Callable[[float], float] = in_cents) -> list[float | None]:
    """Return the values rounded, None for those that are not finite."""
    return [rounded(value) if isfinite(value) else None for value in values.tolist()]
