"""PokemonPriceTracker v2: near-mint market prices and sales volume in USD, by set; needs a key.

    /sets
        {"data": [{"id", "name", ...}], "metadata"?}
    /cards?setId=..&fetchAllInSet=true&includeHistory=true&days=N
        {"data": [card, ...] or card, "metadata"?}

The days of a card are `priceHistory.conditions["Near Mint"].history[] = {date, market, volume}`, or
the same below `priceHistory.variants[printing]["Near Mint"]`. The current price is `prices.market`,
as of `prices.lastUpdated`.

The id of a card is that of its product and printing, whatever other printings the product has. Of
several cards with one product, the one that the lake has, else the first, is collected.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from pokewatch.errors import MissingAtSourceError, SettingsError, SourceError
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources import REJECTED_SCHEMA, PriceBatch, Source, parsing
from pokewatch.market.sources.failed_sets import MOST_IN_A_ROW, not_collected, too_many
from pokewatch.market.sources.games import BY_CATEGORY
from pokewatch.market.sources.http import HttpClient, HttpLimits, shown
from pokewatch.market.sources.pokemon_price_tracker_pages import PriceTrackerPages
from pokewatch.market.sources.pokemon_price_tracker_rows import (
    LakeCards,
    as_object,
    card_fault,
    card_row,
    histories,
    identifier,
    label_of,
    product_of,
    shape_faults,
    volume_of,
)
from pokewatch.settings import SourceSettings
from pokewatch.wording import counted, listed

LONGEST_HISTORY = 90  # days, on the paid plan; 7 on the free one
_PUBLIC = "https://www.pokemonpricetracker.com/api/v2"
_REFUSED = (401, 402, 403, 429)  # answers after which no more sets are requested
_HINTS = {
    401: "the key in POKEMON_PRICE_API_KEY is not accepted",
    403: "the plan of the key in POKEMON_PRICE_API_KEY does not include this",
    429: (
        "the limit of the plan is exceeded (free: 100 requests a day; paid: 60 a minute); "
        "set fewer sets in POKEWATCH_POKEMON_PRICE_SETS"
    ),
}


@dataclass
class _Fetched:
    """Fetched data: rows by day, rejected rows, cards by id, labels of cards by product."""

    since: date
    rows: dict[date, list[dict[str, Any]]] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # sets that were not found
    failed: dict[str, SourceError] = field(default_factory=dict)  # by set

    def why_missing(self, day: date) -> str:
        """Return why there are no prices for `day`."""
        why = "; the history of the key's plan may be shorter"
        if not self.rows and self.rejected:
            reasons = Counter(row["reason"] for row in self.rejected)
            why = f": {parsing.most_rejected(reasons)}"
        elif not self.rows and self.absent:
            why = f": the sets {listed(self.absent)} were not found"
        elif self.failed:
            why = f"; the sets {listed(list(self.failed))} failed"
        return f"no prices for {day}{why}"


class PokemonPriceTrackerSource(Source):
    """Whole sets with their history, all fetched at once, as the API returns days by card."""

    name = "pokemon_price_tracker"
    market = "pokemon-pricetracker-usd"
    lake_name = "pokemon_price_tracker"

    def __init__(
        self,
        settings: SourceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **client: Any,
    ) -> None:
        self._url = settings.pokemon_price_url.rstrip("/")
        self._sets = settings.pokemon_price_sets
        self._language = settings.pokemon_price_language
        game = BY_CATEGORY[85 if self._language == "japanese" else 3]
        self._game = {"game": game.name, "kind": "single", "language": game.language}
        self._now = now
        limits = HttpLimits(
            read=settings.http_timeout,
            attempts=settings.http_attempts,
            pause=1.0 if self._url == _PUBLIC else 0.0,
        )
        headers = {"Authorization": f"Bearer {_key(settings)}"}
        http = HttpClient(self.name, limits, headers, _HINTS, **client)
        self._warnings: list[str] = []
        self._pages = PriceTrackerPages(http, self._url, self._warnings.append)
        self._latest: _Fetched | None = None
        self._lake_cards = LakeCards()

    @property
    def warnings(self) -> list[str]:
        return self._warnings

    def available(self) -> tuple[date, date]:
        """Return the days of the longest history; a free plan has a shorter one."""
        today = self._now().date()
        return today - timedelta(days=LONGEST_HISTORY - 1), today

    def reach(self) -> tuple[date, date]:
        return self.available()

    def keep_ids(self, lake: Lake) -> None:
        if lake.has_catalog():
            self._lake_cards = LakeCards(lake.catalog())

    def catalog(self) -> pa.Table:
        """Return every card of the sets. Raise SourceError."""
        fetched = self._latest or self._fetch(self._now().date())
        return pa.Table.from_pylist(list(fetched.cards.values()), schema=CARD_SCHEMA)

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Yield one batch for each day. Raise MissingAtSourceError for a day without prices."""
        ordered = sorted(days)
        fetched = self._fetch(ordered[0])
        for day in ordered:
            rejected = [
                row
                for row in fetched.rejected
                if row["date"] == day or (row["date"] is None and day == ordered[0])
            ]
            if day not in fetched.rows and not any(row["date"] for row in rejected):
                raise MissingAtSourceError(
                    self.name, shown(f"{self._url}/cards"), fetched.why_missing(day)
                )
            prices = pa.Table.from_pylist(fetched.rows.get(day, []), schema=PRICE_SCHEMA)
            yield PriceBatch((day,), prices, pa.Table.from_pylist(rejected, schema=REJECTED_SCHEMA))

    def _fetch(self, since: date) -> _Fetched:
        if self._latest is None or self._latest.since > since:
            fetched = _Fetched(since)
            days = (self._now().date() - since).days + 1
            self._read_sets(self._sets or self._all_sets(), days, fetched)
            self._warn_of(fetched)
            self._latest = fetched
        return self._latest

    def _all_sets(self) -> list[str]:
        try:
            entries = list(self._pages.entries("/sets", {"language": self._language}))
        except MissingAtSourceError as error:  # it is not that a day is missing
            raise SourceError(self.name, error.url, error.cause, error.status) from None
        found = [set_id for entry in entries if (set_id := identifier(as_object(entry).get("id")))]
        if not found:
            cause = f"none of {counted(len(entries), 'set')} has an id" if entries else "no sets"
            raise SourceError(self.name, shown(f"{self._url}/sets"), cause)
        if unusable := len(entries) - len(found):
            self._warnings.append(
                f"{self.name}: {shown(f'{self._url}/sets')}: {unusable:,} of {len(entries):,} "
                "sets have no id: their prices are missing"
            )
        return list(dict.fromkeys(found))

    def _read_sets(self, sets: Sequence[str], days: int, fetched: _Fetched) -> None:
        """Read the sets, and those that fail again after the others.

        Raise SourceError if requests are refused, or most sets or too many in a row fail.
        """
        rest = self._request(sets, days, fetched)
        if rest or too_many(fetched.failed, len(sets)):
            raise not_collected(fetched.failed)
        self._request(list(fetched.failed), days, fetched)

    def _request(self, sets: Sequence[str], days: int, fetched: _Fetched) -> Sequence[str]:
        """Read `sets`; return those not requested since too many in a row failed."""
        in_a_row = 0
        for position, set_id in enumerate(sets):
            try:
                self._read_set(set_id, days, fetched)
                fetched.failed.pop(set_id, None)
                in_a_row = 0
            except SourceError as error:
                fetched.failed[set_id] = error
                if error.status in _REFUSED:
                    raise not_collected(fetched.failed) from None
                in_a_row += 1
                if in_a_row >= MOST_IN_A_ROW:
                    return sets[position + 1 :]
        return ()

    def _read_set(self, set_id: str, days: int, fetched: _Fetched) -> None:
        params = {"setId": set_id, "fetchAllInSet": "true", "includeHistory": "true"}
        params |= {"days": str(days), "language": self._language}
        try:
            cards = list(self._pages.entries("/cards", params))
        except MissingAtSourceError as error:
            self._warnings.append(f"{error}: the cards of set {set_id} are missing")
            fetched.absent.append(set_id)
            return
        except SourceError as error:
            cause = f"set {set_id}: {error.cause}"
            raise SourceError(self.name, error.url, cause, error.status) from None
        for card in sorted(cards, key=self._is_new):  # stable: cards of the lake come first
            self._read_card(card, fetched)

    def _is_new(self, card: Any) -> bool:
        product = product_of(card.get("tcgPlayerId")) if isinstance(card, dict) else ""
        return not product or not self._lake_cards.has(product, label_of(card))

    def _warn_of(self, fetched: _Fetched) -> None:
        if conflicts := fetched.conflicts:
            shared = listed(conflicts, comma="; ")
            self._warnings.append(f"several cards with one tcgPlayerId: {shared}")
        if failed := list(fetched.failed):
            sets = f"{counted(len(failed), 'set')} ({listed(failed)})"
            self._warnings.append(
                f"the prices of {sets} are missing ({fetched.failed[failed[0]]}); "
                "collect the days again with --refresh"
            )

    def _read_card(self, card: Any, fetched: _Fetched) -> None:
        if reason := card_fault(card):
            fetched.rejected.append(parsing.rejected(None, None, card, reason))
            return
        product = product_of(card["tcgPlayerId"])
        label, owner = label_of(card), fetched.labels.setdefault(product, label_of(card))
        if label != owner:
            conflict = f"{product} is that of {owner!r}, not collected for {label!r}"
            fetched.conflicts.append(conflict)
            reason = f"the tcgPlayerId {conflict}"
            fetched.rejected.append(parsing.rejected(None, f"tcgplayer-{product}", card, reason))
            return
        for fault in shape_faults(card):
            fetched.rejected.append(parsing.rejected(None, f"tcgplayer-{product}", card, fault))
        for card_id, printing, history in histories(card, product, self._lake_cards):
            if not card_id:
                fault = "the printing is not a text that can be stored"
                rejected = parsing.rejected(None, f"tcgplayer-{product}", card, fault)
                fetched.rejected.append(rejected)
                continue
            fetched.cards[card_id] = card_row(card_id, card, printing) | self._game
            for entry in history:
                self._read_entry(card_id, entry, fetched)

    def _read_entry(self, card_id: str, entry: Any, fetched: _Fetched) -> None:
        day = parsing.day(entry.get("date")) if isinstance(entry, dict) else None
        reason = "the date is not a day"
        if day is not None:
            reason = parsing.price_fault("market", entry.get("market"))
        if day is None or reason:
            fetched.rejected.append(parsing.rejected(day, card_id, entry, reason))
            return
        row = {
            "card_id": card_id,
            "date": day,
            "market_price": parsing.number(entry.get("market")),
            "volume": volume_of(entry.get("volume")),
        }
        row |= {"currency": "USD", "source": self.name, "observed_at": self._now()}
        fetched.rows.setdefault(day, []).append(row)


def _key(settings: SourceSettings) -> str:
    """Return the API key without the line break that a file of secrets may end with.

    Raise SettingsError, without the key, where there is none or it cannot be sent.
    """
    secret = settings.pokemon_price_api_key
    key = secret.get_secret_value().strip() if secret else ""
    if not key:
        raise SettingsError(
            "POKEMON_PRICE_API_KEY is not set; the source `pokemon_price_tracker` needs an API key"
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise SettingsError(
            "POKEMON_PRICE_API_KEY has a space, a line break or a character that is not ASCII: "
            "set the key alone"
        )
    return key
