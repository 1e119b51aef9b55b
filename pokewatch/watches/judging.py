"""Judging watches by a price book: which conditions hold, and which have just begun to.

A watch fires when its condition begins to hold, at the first judging too, and is armed again when
it no longer does. While it cannot be judged it keeps its place, so that a day without a price, or
of another currency, is no crossing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np

from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.signals import decide_quotes, finite
from pokewatch.watches.conditions import CardDay, Condition, holds
from pokewatch.watches.outbox import NO_RECEIVER, NewDelivery
from pokewatch.watches.store import Verdict, Watch, WatchStore


@dataclass(slots=True)
class JudgedWatches:
    """The number of watches judged, and of those that fired, were armed again or are disarmed."""

    judged: int = 0
    fired: int = 0
    armed: int = 0
    disarmed: int = 0

    def __iadd__(self, other: "JudgedWatches") -> Self:
        self.judged += other.judged
        self.fired += other.fired
        self.armed += other.armed
        self.disarmed += other.disarmed
        return self


class MarketDay:
    """The last day of a book. `book_key` sorts after those of earlier days and earlier books."""

    def __init__(self, book: PriceBook, version: str) -> None:
        self.book = book
        self.version = version
        self.day = book.last_day.isoformat()
        made = book.facts.created_at.astimezone(UTC).isoformat(timespec="microseconds")
        self.book_key = f"{self.day} {made}"
        self._earlier_days: dict[int, np.datetime64] = {}

    def cards(self, watches: Sequence[Watch]) -> list[CardDay]:
        """Return the card of each watch on this day."""
        ids = [watch.card_id for watch in watches]
        quotes = self.book.look_up(ids)
        decided = decide_quotes(quotes.market, quotes)
        days = [self._earlier_day(watch.condition.days or 0) for watch in watches]
        earlier = self.book.look_up(ids, np.array(days, dtype="datetime64[D]")).market
        columns = zip(quotes.position, quotes.market, decided.signal, earlier, strict=True)
        return [
            CardDay(
                bool(position >= 0),
                self.book.facts.currency,
                finite(market),
                str(signal),
                finite(before),
            )
            for position, market, signal, before in columns
        ]

    def _earlier_day(self, days: int) -> np.datetime64:
        """Return the last day with prices, `days` or more earlier. Without one, such a day."""
        if days not in self._earlier_days:
            until = np.datetime64(self.book.last_day, "D") - days
            at = self.book.last_quoted(until)
            self._earlier_days[days] = until if at < 0 else self.book.dates[at]
        return self._earlier_days[days]


def judge(
    store: WatchStore, book: PriceBook, version: str, addresses: Sequence[str]
) -> JudgedWatches:
    """Judge the watches of a book's market by its last day, and store the deliveries of crossings.

    `version` is that of the model, `addresses` are digests of the addresses to notify where a watch
    has no webhook. Watches that a later book has judged are left as they are.
    """
    day, found, after = MarketDay(book, version), JudgedWatches(), ""

    def decide(watches: Sequence[Watch]) -> list[Verdict]:
        verdicts = []
        for watch, card in zip(watches, day.cards(watches), strict=True):
            verdict = _verdict(watch, card, day, addresses)
            verdicts.append(verdict)
            found.fired += verdict.crossed_on is not None
            found.armed += watch.fired and not verdict.fired
            found.disarmed += verdict.reason is not None
        return verdicts

    while watches := store.judge(book.facts.market, day.book_key, after, decide):
        found.judged += len(watches)
        after = watches[-1].id
    return found


def _verdict(watch: Watch, card: CardDay, day: MarketDay, addresses: Sequence[str]) -> Verdict:
    holding = holds(watch.condition, watch.currency, card)
    if isinstance(holding, str):
        return Verdict(watch.fired, reason=holding)
    if not holding or watch.fired:
        return Verdict(holding)
    return Verdict(True, None, day.day, _deliveries(watch, card, day, addresses))


def _deliveries(
    watch: Watch, card: CardDay, day: MarketDay, addresses: Sequence[str]
) -> tuple[NewDelivery, ...]:
    """Return the deliveries of a crossing: to the webhook, or to every address."""
    name = _name(watch, day)
    crossing = f"{watch.id}-{watch.crossings + 1}"
    title = f"{name}: {watch.condition.text(watch.currency)}"
    payload = json.dumps(_payload(watch, card, day, name), ensure_ascii=False, allow_nan=False)
    if watch.webhook is not None:
        host = urlsplit(watch.webhook).hostname or ""
        return (NewDelivery(crossing, watch.webhook, host, title, payload),)
    return tuple(
        NewDelivery(f"{crossing}-{address}", None, address, title, payload)
        for address in addresses or (NO_RECEIVER,)
    )


def _payload(watch: Watch, card: CardDay, day: MarketDay, name: str) -> dict[str, Any]:
    """Return a message of the structure that the specification recommends."""
    facts = day.book.facts
    return {
        "type": "watch.fired",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "watch_id": watch.id,
            "card_id": watch.card_id,
            "card": watch.slug,
            "name": name,
            "condition": condition_fields(watch.condition),
            "date": day.day,
            "market_price": card.market,
            "earlier_price": card.earlier if watch.condition.days else None,
            "signal": card.signal,
            "market": facts.market,
            "currency": facts.currency,
            "source": facts.source,
            "model_version": day.version,
            "data_version": facts.data_version,
        },
    }


def condition_fields(condition: Condition) -> dict[str, Any]:
    """Return the fields that a condition has."""
    names = ("type", "price", "signal", "change", "days")
    fields = {name: getattr(condition, name) for name in names}
    return {name: value for name, value in fields.items() if value is not None}


def _name(watch: Watch, day: MarketDay) -> str:
    cards = day.book.cards
    return str(cards.describe(cards.positions([watch.card_id]))[0]["name"])
