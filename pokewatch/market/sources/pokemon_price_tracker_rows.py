"""Parsing PokemonPriceTracker's JSON: the printings of a card, their days and its catalogue row.

The history of a card is divided by printing, or is one list: that of `prices.primaryPrinting`, or
if that is not given, of the printing listed first.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pokewatch.market.catalog import slugify
from pokewatch.market.merge import preferred_slug
from pokewatch.market.sources import parsing

_CONDITION = "Near Mint"
_KNOWN = ("card_id", "name", "number", "printing")
_CARD_ID = re.compile(r"^tcgplayer-(\d+)(?:-|$)")


class LakeCards:
    """The cards that a lake has, by product."""

    def __init__(self, catalog: pa.Table | None = None) -> None:
        self._labels: dict[str, set[str]] = {}
        self._printings: dict[str, dict[str, str | None]] = {}
        rows = [] if catalog is None else catalog.select(_KNOWN).to_pylist()
        for row in rows:
            product = _CARD_ID.match(row["card_id"])
            if product:
                label = _label(row["name"], row["number"])
                self._labels.setdefault(product[1], set()).add(label)
                self._printings.setdefault(product[1], {})[row["card_id"]] = row["printing"]

    def has(self, product: str, label: str) -> bool:
        """Return whether `label` is that of a card of `product`."""
        return label in self._labels.get(product, ())

    def printings(self, product: str) -> Mapping[str, str | None]:
        """Return the printings of `product` by card id."""
        return self._printings.get(product, {})


def histories(
    card: Mapping[str, Any], product: str, lake_cards: LakeCards
) -> Iterator[tuple[str, str | None, list[Any]]]:
    """Yield card id, printing and near-mint days, the current price included.

    The card id is "" if the printing cannot be stored.
    """
    prices, history = as_object(card.get("prices")), as_object(card.get("priceHistory"))
    variants = as_object(history.get("variants"))
    if variants:
        continued = _continued(prices, product, list(variants), lake_cards.printings(product))
        for printing, conditions in variants.items():
            days = _days(as_object(conditions).get(_CONDITION))
            own = None if printing == continued else printing
            yield _card_id(product, own), printing, days
        return
    days = _days(as_object(history.get("conditions")).get(_CONDITION))
    now = {"date": prices.get("lastUpdated"), "market": prices.get("market"), "volume": None}
    listed = {parsing.day(entry.get("date")) for entry in days if isinstance(entry, dict)}
    if (
        prices.get("market") is not None
        and parsing.day(now["date"]) not in listed
        and prices.get("primaryCondition") in (None, _CONDITION)
    ):
        days = [*days, now]
    yield *_undivided(prices, product, lake_cards.printings(product)), days


def _undivided(
    prices: Mapping[str, Any], product: str, in_lake: Mapping[str, str | None]
) -> tuple[str, str | None]:
    """Return card id and printing of a history that is not divided by printing.

    The lake's id is used again, so that a printing that appears or disappears changes nothing.
    """
    primary = parsing.text(prices.get("primaryPrinting"))
    printings = [primary] if primary else list(as_object(prices.get("variants")))
    unnamed = _card_id(product, None)
    if unnamed in in_lake:
        only = printings[0] if len(printings) == 1 else None
        return unnamed, in_lake[unnamed] or (only if only and _card_id(product, only) else None)
    found = {_card_id(product, printing): printing for printing in printings}
    if not found and len(in_lake) == 1:
        return next(iter(in_lake.items()))
    known = [card_id for card_id in found if card_id in in_lake]
    card_id = next(iter(known or found), unnamed)
    return card_id, found.get(card_id)


def _continued(
    prices: Mapping[str, Any],
    product: str,
    printings: Sequence[str],
    in_lake: Mapping[str, str | None],
) -> str | None:
    """Return the printing whose history the lake has under the id of the product alone, if any.

    It was collected before the history was divided by printing.
    """
    unnamed = _card_id(product, None)
    if unnamed not in in_lake:
        return None
    primary = parsing.text(prices.get("primaryPrinting"))
    undivided = in_lake[unnamed] or (primary if primary in printings else printings[0])
    if undivided not in printings or _card_id(product, undivided) in in_lake:
        return None
    return undivided


def _card_id(product: str, printing: str | None) -> str:
    """Return the id of a product in a printing, "" if the printing cannot be stored."""
    if not printing:
        return f"tcgplayer-{product}"
    slug = slugify(printing, "-") if parsing.is_text(printing) else ""
    return f"tcgplayer-{product}-{slug}" if slug else ""


def label_of(card: Mapping[str, Any]) -> str:
    """Return the name and number of a card."""
    number = parsing.text(card.get("cardNumber"))
    return _label(parsing.product_name(card.get("name"), number), number)


def _label(name: str | None, number: str | None) -> str:
    return " ".join(filter(None, (name, number)))


def card_fault(card: Any) -> str:
    """Return why nothing of a card can be used, "" if it can. Prices are in USD if not marked."""
    fields = as_object(card)
    if not product_of(fields.get("tcgPlayerId")):
        return "the card has no tcgPlayerId"
    marked = (fields, as_object(fields.get("prices")), as_object(fields.get("priceHistory")))
    currencies = {parsing.text(each.get("currency")) or "USD" for each in marked}
    return "" if {each.upper() for each in currencies} == {"USD"} else "the currency is not USD"


def shape_faults(card: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of a card that have the wrong type and cannot be read."""
    for name in ("prices", "priceHistory"):
        if not isinstance(card.get(name), dict | None):
            yield f"{name} is not an object"
    history = as_object(card.get("priceHistory"))
    if history and not history.keys() & {"variants", "conditions"}:
        yield "priceHistory has neither variants nor conditions"
    for name in ("variants", "conditions"):
        if not isinstance(history.get(name), dict | None):
            yield f"priceHistory.{name} is not an object"
    for conditions in (history.get("conditions"), *as_object(history.get("variants")).values()):
        near_mint = as_object(conditions).get(_CONDITION)
        if not isinstance(conditions, dict | None) or not isinstance(near_mint, dict | None):
            yield "the conditions of a printing are not an object"
        elif not isinstance(as_object(near_mint).get("history"), list | None):
            yield "a history is not a list"


def _days(condition: Any) -> list[Any]:
    history = as_object(condition).get("history")
    return history if isinstance(history, list) else []


def product_of(value: Any) -> str:
    """Return the digits of a product number without leading zeros, "" if `value` is not one."""
    digits = str(value) if type(value) in (int, str) else ""
    if len(digits) > 18 or not (digits.isascii() and digits.isdecimal()):
        return ""
    return digits.lstrip("0")


def identifier(value: Any) -> str:
    """Return an id, a text or a number, as text; "" if it is neither."""
    return str(value) if type(value) is int else parsing.text(value) or ""


def as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def volume_of(value: Any) -> int | None:
    """Return a number of sales, which JSON may write as 3.0.

    Of another value it is -1, which `quality` removes and counts: the price beside it is good.
    """
    if value is None:
        return None
    whole = type(value) in (int, float) and 0 <= value < 2**31 and value == int(value)
    return int(value) if whole else -1


def card_row(card_id: str, card: Mapping[str, Any], printing: str | None) -> dict[str, Any]:
    number = parsing.text(card.get("cardNumber"))
    name = parsing.product_name(card.get("name"), number) or card_id
    return {
        "card_id": card_id,
        "slug": preferred_slug(name, number if name != card_id else None),
        "name": name,
        "set_id": identifier(card.get("setId")),
        "set_name": parsing.text(card.get("setName")) or "",
        "number": number,
        "rarity": parsing.text(card.get("rarity")),
        "printing": printing,
        "released": None,
        "image_url": parsing.text(card.get("imageUrl")),
        "source_ids": json.dumps(
            {
                "tcgplayer": int(card["tcgPlayerId"]),
                "pokemon_price_tracker": identifier(card.get("id")) or None,
            }
        ),
    }
