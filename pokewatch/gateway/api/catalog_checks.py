"""Checks that catalogue replies answer their requests. They raise ValueError.

The types have been checked by msgspec.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Protocol

from pokewatch.contract import ADVICE_REASONS, STATUSES, ChangesSort
from pokewatch.gateway.api.card_schemas import Card, CardAnswer, CardPage, History, Mover, Movers
from pokewatch.gateway.api.market_schemas import (
    CardList,
    CardSetAnswer,
    CardSets,
    ChangedCard,
    MarketIndex,
    PriceChanges,
)
from pokewatch.gateway.upstream.reply_checks import check_day, check_members, is_card_id

Payload = Mapping[str, Any]
_IMAGE = re.compile("https://[!-~]+")
_HISTORY = ("market_price", "low_price", "fair_price", "lower", "upper", "status")


class Versioned(Protocol):
    """A reply with the versions it comes from."""

    @property
    def model_version(self) -> str: ...

    @property
    def data_version(self) -> str: ...


def check_versions(found: Versioned) -> None:
    if not (found.model_version and found.data_version):
        raise ValueError("the reply has no versions")


def check_card(found: CardAnswer, payload: Payload) -> None:
    _check_name(found, payload)
    _check_cards([found], found.date)
    _check_forecasts(found)


def _check_forecasts(found: CardAnswer) -> None:
    """Check for ascending horizons, each with the day that it leads to, and ordered prices."""
    horizons = [each.horizon for each in found.forecasts]
    if horizons != sorted(set(horizons)):
        raise ValueError(f"the horizons {horizons} are not in ascending order")
    day = date.fromisoformat(found.date)
    for each in found.forecasts:
        if each.date != (day + timedelta(days=each.horizon)).isoformat():
            raise ValueError(f"the forecast {each.horizon} days ahead is of {each.date!r}")
        known = [price for price in (each.lower, each.fair_price, each.upper) if price is not None]
        if known != sorted(known):
            raise ValueError(f"the interval {each.horizon} days ahead is {known}, not ascending")
    check_members("status", [each.status for each in found.forecasts], STATUSES)


def check_page(found: CardPage, payload: Payload) -> None:
    """Check for at most `limit` distinct cards of one day; `next` is the last of a full page."""
    cards = found.cards
    if cards:
        _check_cards(cards, cards[0].date)
    if len(cards) > payload["limit"]:
        raise ValueError(f"{len(cards)} cards, expected at most {payload['limit']}")
    if "after" in payload and any(card.card_id == payload["after"] for card in cards):
        raise ValueError(f"the card {payload['after']!r} was on the previous page")
    if found.next is not None and (
        len(cards) < payload["limit"] or found.next != cards[-1].card_id
    ):
        raise ValueError(f"`next` is {found.next!r}, which is not the last card of a full page")


def check_history(found: History, payload: Payload) -> None:
    """Check for ascending days within the requested range, and columns of equal length."""
    _check_name(found, payload)
    days = found.dates
    for day in days:
        check_day("dates", day)
    if any(day >= following for day, following in pairwise(days)):
        raise ValueError("the days are not in ascending order")
    if days and not (
        payload.get("from", "") <= days[0] and days[-1] <= payload.get("to", days[-1])
    ):
        raise ValueError(f"the days {days[0]} to {days[-1]} are not all in the requested range")
    for name in _HISTORY:
        if len(getattr(found, name)) != len(days):
            raise ValueError(
                f"{name!r} has {len(getattr(found, name))} values for {len(days)} days"
            )
    check_members("status", found.status, STATUSES)


def check_list(found: CardList, payload: Payload) -> None:
    """Check for distinct cards of one day, at most as many as requested."""
    if found.cards:
        _check_cards(found.cards, found.cards[0].date)
    if len(found.cards) > payload.get("limit", len(found.cards)):
        raise ValueError(f"{len(found.cards)} cards, expected at most {payload['limit']}")


def check_sets(found: CardSets, _: Payload) -> None:
    check_day("date", found.date)
    if len({each.set_id for each in found.sets}) != len(found.sets):
        raise ValueError("a set is repeated")


def check_set(found: CardSetAnswer, payload: Payload) -> None:
    if found.set_id != payload["set_id"]:
        raise ValueError(f"the set is {found.set_id!r}, expected {payload['set_id']!r}")
    _check_index(found.dates, found.index)
    _check_cards(found.top, found.date)


def check_index(found: MarketIndex, _: Payload) -> None:
    _check_index(found.dates, found.index)


def check_changes(found: PriceChanges, payload: Payload) -> None:
    """Check for at most `limit` cards each way, in the order of `sort`."""
    for name in ("days", "min_price", "sort"):
        if getattr(found, name) != payload[name]:
            raise ValueError(f"{name} is {getattr(found, name)!r}, expected {payload[name]!r}")
    check_day("date", found.date)
    _check_cards([*found.up, *found.down], found.date)
    for name, rows, sign in (("up", found.up, 1), ("down", found.down, -1)):
        if len(rows) > payload["limit"]:
            raise ValueError(f"{len(rows)} cards {name}, expected at most {payload['limit']}")
        if any(row.change_pct * sign < 0 for row in rows):
            raise ValueError(f"the cards {name} have changes the other way")
        if any(one < two for one, two in pairwise(_size(row, found.sort) for row in rows)):
            raise ValueError(f"the cards {name} are not in order")


def _size(row: ChangedCard, sort: ChangesSort) -> float:
    """Return what cards are sorted by, to the precision of the reply."""
    if sort == "change":
        return abs(row.change_pct)
    price = row.market_price or 0.0
    return price if sort == "price" else round(abs(price - row.price_before), 6)


def _check_index(dates: Sequence[str], values: Sequence[float]) -> None:
    if len(dates) != len(values):
        raise ValueError(f"the index has {len(values)} values for {len(dates)} days")
    for day in dates:
        check_day("dates", day)
    if any(not value > 0 for value in values):
        raise ValueError("the index is not positive")


def check_movers(found: Movers, payload: Payload) -> None:
    """Check for at most `limit` cards of each signal, strongest first, beyond the thresholds."""
    if found.price != payload["price"]:
        raise ValueError(f"the price is {found.price!r}, expected {payload['price']!r}")
    check_day("date", found.date)
    _check_cards([*found.buy, *found.sell], found.date)
    _check_signals(
        found.buy,
        "BUY",
        payload["limit"],
        [row.deviation_pct for row in found.buy],
        payload.get("buy_threshold_pct"),
    )
    sell = payload.get("sell_threshold_pct")
    strength = [-row.deviation_pct for row in found.sell]
    _check_signals(found.sell, "SELL", payload["limit"], strength, None if sell is None else -sell)


def _check_signals(
    rows: Sequence[Mover], signal: str, limit: int, deviations: list[float], edge: float | None
) -> None:
    """Check rows whose `deviations`, negative and ascending, may not exceed `edge`."""
    if len(rows) > limit:
        raise ValueError(f"{len(rows)} cards to {signal}, expected at most {limit}")
    check_members("signal", [row.signal for row in rows], (signal,))
    check_members("advice", [row.advice for row in rows], ADVICE_REASONS)
    if deviations != sorted(deviations):
        raise ValueError(f"the cards to {signal} are not in order")
    if edge is not None and deviations and deviations[-1] > edge + 1e-9:
        raise ValueError(f"a card to {signal} does not reach the threshold {edge}")


def _check_name(found: CardAnswer | History, payload: Payload) -> None:
    if payload["card_id"] not in (found.card_id, found.slug):
        raise ValueError(f"the card is {found.card_id!r}, expected {payload['card_id']!r}")
    _check_ids(found)


def _check_cards(cards: Sequence[Card], day: str) -> None:
    """Check for distinct cards of the same `day` with known statuses."""
    check_day("date", day)
    if len({card.card_id for card in cards}) != len(cards):
        raise ValueError("a card is repeated")
    for card in cards:
        _check_ids(card)
        if card.image_url is not None and not _IMAGE.fullmatch(card.image_url):
            raise ValueError(f"the image address {card.image_url!r} is not https")
    check_members("date", [card.date for card in cards], (day,))
    check_members("status", [card.status for card in cards], STATUSES)


def _check_ids(card: Card | History) -> None:
    for name in (card.card_id, card.slug):
        if not is_card_id(name):
            raise ValueError(f"{name!r} is neither an id nor a slug")
