"""Checks of what the catalogue answers: that it is about what was asked. msgspec has checked the types. Raise ValueError."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pokewatch.contract import STATUSES
from pokewatch.gateway.api.schemas import Card, CardAnswer, CardPage, History, Mover, Movers
from pokewatch.gateway.upstream.reply_checks import check_day, check_members

Asked = Mapping[str, Any]
_HISTORY = ("market_price", "low_price", "fair_price", "lower", "upper", "status")


def check_versions(found: CardAnswer | CardPage | History | Movers) -> None:
    if not (found.model_version and found.data_version):
        raise ValueError("it does not say what it comes from")


def check_card(found: CardAnswer, asked: Asked) -> None:
    _check_name(found, asked)
    _check_cards([found], found.date)


def check_page(found: CardPage, asked: Asked) -> None:
    """At most as many cards as asked for, each once, of one day; `next` is the last of them, where there are more."""
    cards = found.cards
    if cards:
        _check_cards(cards, cards[0].date)
    if len(cards) > asked["limit"]:
        raise ValueError(f"{len(cards)} cards, of at most {asked['limit']}")
    if "after" in asked and any(card.card_id == asked["after"] for card in cards):
        raise ValueError(f"the card {asked['after']!r} again, whose page came before")
    if found.next is not None and (len(cards) < asked["limit"] or found.next != cards[-1].card_id):
        raise ValueError(
            f"a next page after {found.next!r}, which is not the last card of a full page"
        )


def check_history(found: History, asked: Asked) -> None:
    """Days within those asked for, ascending, and as many of every value."""
    _check_name(found, asked)
    days = found.dates
    for day in days:
        check_day("dates", day)
    if any(day >= following for day, following in pairwise(days)):
        raise ValueError("the days are not ascending")
    if days and not (asked.get("from", "") <= days[0] and days[-1] <= asked.get("to", days[-1])):
        raise ValueError(f"the days {days[0]} to {days[-1]} are not within those asked for")
    for name in _HISTORY:
        if len(getattr(found, name)) != len(days):
            raise ValueError(
                f"{name!r} has {len(getattr(found, name))} values for {len(days)} days"
            )
    check_members("status", found.status, STATUSES)


def check_movers(found: Movers, asked: Asked) -> None:
    """The price asked to be judged; at most as many of each signal as asked for, strongest first, beyond the thresholds."""
    if found.price != asked["price"]:
        raise ValueError(f"the price {found.price!r} was judged, not {asked['price']!r}")
    check_day("date", found.date)
    _check_cards([*found.buy, *found.sell], found.date)
    _check_signals(
        found.buy,
        "BUY",
        asked["limit"],
        [row.deviation_pct for row in found.buy],
        asked.get("buy_threshold_pct"),
    )
    sell = asked.get("sell_threshold_pct")
    strength = [-row.deviation_pct for row in found.sell]
    _check_signals(found.sell, "SELL", asked["limit"], strength, None if sell is None else -sell)


def _check_signals(
    rows: Sequence[Mover], signal: str, most: int, deviations: list[float], edge: float | None
) -> None:
    """`deviations` are below zero, the strongest first, and none above `edge`."""
    if len(rows) > most:
        raise ValueError(f"{len(rows)} cards to {signal}, of at most {most}")
    check_members("signal", [row.signal for row in rows], (signal,))
    if deviations != sorted(deviations):
        raise ValueError(f"the cards to {signal} are not in order")
    if edge is not None and deviations and deviations[-1] > edge + 1e-9:
        raise ValueError(f"a card to {signal} is short of the threshold {edge}")


def _check_name(found: CardAnswer | History, asked: Asked) -> None:
    if asked["card_id"] not in (found.card_id, found.slug):
        raise ValueError(f"about {found.card_id!r}, asked for {asked['card_id']!r}")


def _check_cards(cards: Sequence[Card], day: str) -> None:
    """Each card once, all of `day`, with a status that there is."""
    check_day("date", day)
    if len({card.card_id for card in cards}) != len(cards):
        raise ValueError("a card is given twice")
    check_members("date", [card.date for card in cards], (day,))
    check_members("status", [card.status for card in cards], STATUSES)
