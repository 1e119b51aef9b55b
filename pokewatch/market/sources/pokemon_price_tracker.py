"""PokemonPriceTracker v2: near-mint market price and sales volume, by set, with a history of days. USD; needs a key.

    /sets                                                               {"data": [{"id", "name", ...}], "metadata"?}
    /cards?setId=..&fetchAllInSet=true&includeHistory=true&days=N       {"data": [card, ...] or card, "metadata"?}

A card's days: `priceHistory.conditions["Near Mint"].history[] = {date, market, volume}`, or the same below
`priceHistory.variants[printing]["Near Mint"]`; beside them the price of now, `prices.market`, as of `prices.lastUpdated`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa

from pokewatch.errors import MissingAtSourceError, SettingsError, SourceError
from pokewatch.market.catalog import CARD_SCHEMA, slugify
from pokewatch.market.merge import short_slug
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources import REJECTED_SCHEMA, PriceBatch, parsing
from pokewatch.market.sources.http import HttpClient, HttpLimits, shown
from pokewatch.settings import SourceSettings

LONGEST_HISTORY = 90  # days, on the paid plan; 7 on the free one
_CONDITION = "Near Mint"
_PUBLIC = "https://www.pokemonpricetracker.com/api/v2"
_MOST_PAGES = 500
_HINTS = {
    401: "the key in POKEMON_PRICE_API_KEY is not accepted",
    403: "the plan of the key in POKEMON_PRICE_API_KEY does not allow this",
    429: "over the limit of the plan (free: 100 requests a day; paid: 60 a minute); name fewer sets in POKEWATCH_POKEMON_PRICE_SETS",
}


@dataclass
class _Harvest:
    """What was fetched: rows by day, rejected rows, cards by id."""

    since: date
    rows: dict[date, list[dict[str, Any]]] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)


class PokemonPriceTrackerSource:
    """Whole sets with their history; everything asked for is fetched at once, because a card's days come together."""

    name = "pokemon_price_tracker"
    lake_name = "pokemon_price_tracker"

    def __init__(
        self,
        settings: SourceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
        **client: Any,
    ) -> None:
        if settings.pokemon_price_api_key is None:
            raise SettingsError(
                "POKEMON_PRICE_API_KEY: the source `pokemon_price_tracker` needs an API key, and there is none"
            )
        self._url = settings.pokemon_price_url.rstrip("/")
        self._sets = settings.pokemon_price_sets
        self._language = settings.pokemon_price_language
        self._now = now
        limits = HttpLimits(
            read=settings.http_timeout,
            attempts=settings.http_attempts,
            pause=1.0 if self._url == _PUBLIC else 0.0,
        )
        headers = {"Authorization": f"Bearer {settings.pokemon_price_api_key.get_secret_value()}"}
        self._http = HttpClient(self.name, limits, headers, _HINTS, transport, **client)
        self.warnings: list[str] = []
        self._harvest: _Harvest | None = None

    def available(self) -> tuple[date, date]:
        """The days the longest history reaches; a free plan's is shorter."""
        today = self._now().date()
        return today - timedelta(days=LONGEST_HISTORY - 1), today

    def reach(self) -> tuple[date, date]:
        return self.available()

    def catalog(self) -> pa.Table:
        """Every card of the sets. Raises SourceError."""
        harvest = self._harvest or self._harvested(self._now().date())
        return pa.Table.from_pylist(list(harvest.cards.values()), schema=CARD_SCHEMA)

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """The asked days, one batch each. Raises MissingAtSourceError for a day without a price, SourceError."""
        ordered = sorted(days)
        harvest = self._harvested(ordered[0])
        for day in ordered:
            if day not in harvest.rows:
                raise MissingAtSourceError(
                    self.name,
                    f"{self._url}/cards",
                    f"no prices of {day}; the plan of the key may not reach so far back",
                )
            prices = pa.Table.from_pylist(harvest.rows[day], schema=PRICE_SCHEMA)
            rejected = [
                row
                for row in harvest.rejected
                if row["date"] == day or (row["date"] is None and day == ordered[0])
            ]
            yield PriceBatch((day,), prices, pa.Table.from_pylist(rejected, schema=REJECTED_SCHEMA))

    def _harvested(self, since: date) -> _Harvest:
        if self._harvest is None or self._harvest.since > since:
            harvest = _Harvest(since)
            days = (self._now().date() - since).days + 1
            for set_id in self._sets or self._all_sets():
                self._take_set(set_id, days, harvest)
            self._harvest = harvest
        return self._harvest

    def _all_sets(self) -> list[str]:
        found = [
            entry.get("id")
            for entry in self._pages("/sets", {"language": self._language})
            if isinstance(entry, dict)
        ]
        return [set_id for given in found if (set_id := _id(given))]

    def _take_set(self, set_id: str, days: int, harvest: _Harvest) -> None:
        asked = {
            "setId": set_id,
            "fetchAllInSet": "true",
            "includeHistory": "true",
            "days": str(days),
            "language": self._language,
        }
        try:
            for card in self._pages("/cards", asked):
                self._take_card(card, harvest)
        except MissingAtSourceError as error:
            self.warnings.append(f"{error}: no cards of the set {set_id}")

    def _pages(self, path: str, asked: Mapping[str, str]) -> Iterator[Any]:
        """What `data` lists, over all pages there are."""
        url = self._url + path
        offset = 0
        for _ in range(_MOST_PAGES):
            body = self._http.json(url, {**asked, "offset": str(offset)} if offset else asked)
            if not isinstance(body, dict) or not isinstance(body.get("data"), list | dict):
                raise SourceError(self.name, shown(url), "the answer has no data")
            data = body["data"] if isinstance(body["data"], list) else [body["data"]]
            yield from data
            offset += len(data)
            if not data or not _object(body.get("metadata")).get("hasMore"):
                return
        raise SourceError(self.name, shown(url), f"goes on for more than {_MOST_PAGES} pages")

    def _take_card(self, card: Any, harvest: _Harvest) -> None:
        product = _product(card.get("tcgPlayerId")) if isinstance(card, dict) else ""
        if not product:
            harvest.rejected.append(
                parsing.rejected(None, None, card, "the card has no tcgPlayerId")
            )
            return
        for fault in _shape_faults(card):
            harvest.rejected.append(parsing.rejected(None, f"tcgplayer-{product}", card, fault))
        for printing, history in _histories(card):
            slug = slugify(printing, "-") if printing else ""
            if printing and not (slug and parsing.is_text(printing)):
                fault = "the printing is no text that can be kept"
                rejected = parsing.rejected(None, f"tcgplayer-{product}", card, fault)
                harvest.rejected.append(rejected)
                continue
            card_id = f"tcgplayer-{product}" + (f"-{slug}" if slug else "")
            harvest.cards[card_id] = _card_row(card_id, card, printing)
            for entry in history:
                self._take_entry(card_id, entry, harvest)

    def _take_entry(self, card_id: str, entry: Any, harvest: _Harvest) -> None:
        day = parsing.day(entry.get("date")) if isinstance(entry, dict) else None
        reason = "the date is not a day" if day is None else _fault(entry)
        if day is None or reason:
            harvest.rejected.append(parsing.rejected(day, card_id, entry, reason))
            return
        row = {
            "card_id": card_id,
            "date": day,
            "market_price": parsing.number(entry.get("market")),
            "volume": entry.get("volume"),
        }
        row |= {"currency": "USD", "source": self.name, "observed_at": self._now()}
        harvest.rows.setdefault(day, []).append(row)


def _histories(card: Mapping[str, Any]) -> Iterator[tuple[str | None, list[Any]]]:
    """Each printing with its near-mint days; the price of now is a day of its own where the history lacks that day."""
    prices, history = _object(card.get("prices")), _object(card.get("priceHistory"))
    variants = _object(history.get("variants"))
    if variants:
        for printing, conditions in variants.items():
            yield printing, _days(_object(conditions).get(_CONDITION))
        return
    printings = list(_object(prices.get("variants")))
    days = _days(_object(history.get("conditions")).get(_CONDITION))
    now = {"date": prices.get("lastUpdated"), "market": prices.get("market"), "volume": None}
    listed = {parsing.day(entry.get("date")) for entry in days if isinstance(entry, dict)}
    if (
        prices.get("market") is not None
        and parsing.day(now["date"]) not in listed
        and prices.get("primaryCondition") in (None, _CONDITION)
    ):
        days = [*days, now]
    yield (printings[0] if len(printings) == 1 else None), days


def _shape_faults(card: Mapping[str, Any]) -> Iterator[str]:
    """Which parts of a card are not of the kind they should be; nothing can be read from those."""
    for name in ("prices", "priceHistory"):
        if not isinstance(card.get(name), dict | None):
            yield f"{name} is not an object"
    history = _object(card.get("priceHistory"))
    for name in ("variants", "conditions"):
        if not isinstance(history.get(name), dict | None):
            yield f"priceHistory.{name} is not an object"
    for conditions in (history.get("conditions"), *_object(history.get("variants")).values()):
        near_mint = _object(conditions).get(_CONDITION)
        if not isinstance(conditions, dict | None) or not isinstance(near_mint, dict | None):
            yield "the conditions of a printing are not an object"
        elif not isinstance(_object(near_mint).get("history"), list | None):
            yield "a history is not a list"


def _days(condition: Any) -> list[Any]:
    history = _object(condition).get("history")
    return history if isinstance(history, list) else []


def _product(value: Any) -> str:
    """The digits of a product's number, "" where it is none."""
    digits = str(value) if type(value) in (int, str) else ""
    return digits if len(digits) <= 18 and digits.isascii() and digits.isdecimal() else ""


def _id(value: Any) -> str:
    """An id of theirs, text or a number, as text; "" where it is neither."""
    return str(value) if type(value) is int else parsing.text(value) or ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _fault(entry: Mapping[str, Any]) -> str:
    market, volume = entry.get("market"), entry.get("volume")
    if volume is not None and (type(volume) is not int or not 0 <= volume < 2**31):
        return "volume is not a whole number"
    return parsing.price_fault("market", market)


def _card_row(card_id: str, card: Mapping[str, Any], printing: str | None) -> dict[str, Any]:
    number = parsing.text(card.get("cardNumber"))
    name = parsing.text(card.get("name")) or card_id
    if number:
        name = name.removesuffix(f" - {number}") or name
    return {
        "card_id": card_id,
        "slug": short_slug(name, number if name != card_id else None),
        "name": name,
        "set_id": _id(card.get("setId")),
        "set_name": parsing.text(card.get("setName")) or "",
        "number": number,
        "rarity": parsing.text(card.get("rarity")),
        "printing": printing,
        "released": None,
        "image_url": parsing.text(card.get("imageUrl")),
        "source_ids": json.dumps(
            {
                "tcgplayer": int(card["tcgPlayerId"]),
                "pokemon_price_tracker": _id(card.get("id")) or None,
            }
        ),
    }
