"""Parsing TCGCSV's JSON into price rows and card rows.

TCGplayer sells products; a card is a product in one printing, (productId, subTypeName).
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from pokewatch.market.catalog import CARD_SCHEMA, slugify
from pokewatch.market.merge import preferred_slug
from pokewatch.market.prices import PRICE_SCHEMA, conform
from pokewatch.market.sources import REJECTED_SCHEMA, parsing
from pokewatch.market.sources.games import BY_CATEGORY, game_of, kind_of

_PRICES = {
    "market_price": "marketPrice",
    "low_price": "lowPrice",
    "mid_price": "midPrice",
    "high_price": "highPrice",
}


class BadEnvelopeError(ValueError):
    """The JSON does not have the structure of TCGCSV's."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A card as identified by its price row."""

    card_id: str
    product: int
    printing: str
    category: int
    group: int


@dataclass
class PriceRows:
    """The valid and rejected price rows of one day, by column."""

    day: date
    listings: dict[str, Listing] = field(default_factory=dict)
    card_ids: list[str] = field(default_factory=list)
    columns: dict[str, list[float | None]] = field(
        default_factory=lambda: {name: [] for name in _PRICES}
    )
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def add(self, category: int, group: int, rows: Iterable[Any]) -> None:
        """Add the `rows` of a group, the invalid ones to `rejected` with the reason."""
        for row in rows:
            reason = _fault(row)
            if reason:
                self.rejected.append(parsing.rejected(self.day, None, row, reason))
                continue
            product, printing = row["productId"], row["subTypeName"]
            card_id = card_id_of(product, printing)
            self.listings.setdefault(card_id, Listing(card_id, product, printing, category, group))
            self.card_ids.append(card_id)
            for name, key in _PRICES.items():
                value = row.get(key)
                # The market price is a number by now. Another price that is not one is left empty.
                fault = name != "market_price" and parsing.price_fault(key, value)
                self.columns[name].append(math.nan if fault else parsing.number(value))

    def prices(self, source: str, observed_at: datetime) -> pa.Table:
        count = len(self.card_ids)
        table = {
            "card_id": self.card_ids,
            "date": [self.day] * count,
            **self.columns,
            "currency": ["USD"] * count,
            "source": [source] * count,
            "observed_at": [observed_at] * count,
        }
        return conform(pa.table(table), PRICE_SCHEMA)

    def most_rejected(self) -> str:
        """Return the number of rejected rows and the most frequent reason."""
        return parsing.most_rejected(Counter(row["reason"] for row in self.rejected))

    def rejections(self) -> pa.Table:
        return pa.Table.from_pylist(self.rejected, schema=REJECTED_SCHEMA)


def results(body: Any) -> list[Any]:
    """Return the rows of an answer. Raise BadEnvelopeError."""
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        raise BadEnvelopeError("the answer has no list of results")
    if body.get("success") is not True:
        raise BadEnvelopeError(f"the answer reports a failure: {str(body.get('errors'))[:200]}")
    return list(body["results"])


def doubt_of(body: Any) -> str:
    """Return why rows of an answer may be missing, "" if it has all that it counts and no error."""
    if errors := body.get("errors"):
        return f"the answer has rows and reports a failure: {str(errors)[:200]}"
    total, count = body.get("totalItems"), len(body["results"])
    if type(total) is not int or total <= count:
        return ""
    return f"{count:,} of a total of {total:,} results: the others are missing"


def is_id(value: Any) -> bool:
    """Return whether `value` is a valid product or group id."""
    return type(value) is int and 0 < value < 1 << 63


def card_id_of(product: int, printing: str) -> str:
    return f"tcgplayer-{product}-{slugify(printing, '-')}"


def set_id_of(group: int) -> str:
    return f"tcgplayer-group-{group}"


def _fault(row: Any) -> str:
    """Return why `row` is not a price row, "" if it is one.

    `quality` checks the prices, and removes those that stand for no listing.
    """
    if not isinstance(row, dict):
        return "the row is not an object"
    product, printing = row.get("productId"), row.get("subTypeName")
    if not is_id(product):
        return "productId is not a positive whole number"
    if not isinstance(printing, str) or not slugify(printing):
        return "subTypeName (the printing) is missing"
    if not parsing.is_text(printing):
        return "subTypeName (the printing) is truncated or too long"
    return parsing.price_fault("marketPrice", row.get("marketPrice"))


def card_rows(
    listings: Iterable[Listing],
    products: Mapping[int, Mapping[str, Any]],
    groups: Mapping[int, Mapping[str, Any]],
) -> pa.Table:
    """Return the cards of `listings` (CARD_SCHEMA); without a product, the id is the name."""
    rows = [
        _card(listing, products.get(listing.product), groups.get(listing.group, {}))
        for listing in listings
    ]
    return pa.Table.from_pylist(rows, schema=CARD_SCHEMA)


def _card(
    listing: Listing, product: Mapping[str, Any] | None, group: Mapping[str, Any]
) -> dict[str, Any]:
    details = _details(product or {})
    game = BY_CATEGORY.get(listing.category)
    number = details.get("Number")
    name = parsing.product_name((product or {}).get("name"), number) or listing.card_id
    return {
        "card_id": listing.card_id,
        "slug": preferred_slug(name, number),
        "name": name,
        "set_id": set_id_of(listing.group),
        "set_name": parsing.text(group.get("name")) or f"TCGplayer group {listing.group}",
        "number": number,
        "rarity": details.get("Rarity"),
        "printing": listing.printing,
        "released": parsing.day(group.get("publishedOn")),
        "image_url": parsing.text((product or {}).get("imageUrl")),
        "source_ids": json.dumps({"tcgplayer": listing.product}),
        "game": game_of(listing.category),
        "kind": kind_of(name, details) if product else None,
        "language": game.language if game else None,
        "set_code": parsing.text(group.get("abbreviation")),
    }


def _details(product: Mapping[str, Any]) -> dict[str, str]:
    """Return Number, Rarity and others; a sealed product has neither. A number may be an int."""
    entries = product.get("extendedData")
    listed = (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    pairs = [(entry.get("name"), entry.get("value")) for entry in listed]
    texts = [
        (name, parsing.text(str(value) if type(value) is int else value)) for name, value in pairs
    ]
    return {name: value for name, value in texts if isinstance(name, str) and value}
