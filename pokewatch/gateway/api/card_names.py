"""The names of cards that an answer has only the slugs of."""

from collections.abc import Iterable
from typing import Any

import msgspec

from pokewatch.contract import MAX_PAGE_SIZE
from pokewatch.gateway.api.catalog_reader import CatalogCall
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.reply_checks import is_card_id


class CardName(msgspec.Struct, frozen=True):
    """A card with what sets it apart from others of its name."""

    card_id: str
    slug: str
    name: str
    set_name: str
    number: str | None = None
    printing: str | None = None


class CardNames(msgspec.Struct, frozen=True):
    """The names of cards, without those that the catalogue does not have."""

    cards: list[CardName]
    model_version: str
    data_version: str
    stale: bool = False


async def names_of(
    slugs: Iterable[str], market: MarketBackend, headers: bytes
) -> dict[str, CardName]:
    """Return the names of up to MAX_PAGE_SIZE cards by slug, {} if they cannot be read in time."""
    cards = tuple(dict.fromkeys(slugs))[:MAX_PAGE_SIZE]
    if not cards:
        return {}
    try:
        call = CatalogCall("names", {"cards": cards}, CardNames, _check)
        found: CardNames = await market.reader.read(call, headers, market.merge_deadline())
    except ProblemError:
        return {}  # the slugs say enough to find the cards
    return {card.slug: card for card in found.cards}


def _check(found: CardNames, payload: dict[str, Any]) -> None:
    for card in found.cards:
        if not (is_card_id(card.card_id) and is_card_id(card.slug)):
            raise ValueError(f"{card.card_id!r} or {card.slug!r} is neither an id nor a slug")
        if card.slug not in payload["cards"]:
            raise ValueError(f"the card {card.slug!r} was not asked for")
