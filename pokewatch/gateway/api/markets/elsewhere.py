"""The same card in other markets."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from pokewatch.gateway.api import catalog_checks as checks
from pokewatch.gateway.api.card_schemas import CardAnswer, CardElsewhere
from pokewatch.gateway.api.catalog_reader import CatalogCall
from pokewatch.gateway.api.market_schemas import CardList
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.http.problems import ProblemError

_PRODUCT = re.compile("[0-9]{1,20}")


async def cards_elsewhere(
    markets: Markets, market: MarketBackend, card: CardAnswer, headers: bytes
) -> list[CardElsewhere]:
    """Return the cards of the same TCGplayer product in other markets that can be reached.

    `market` may be a challenger, which is of the same market as its champion.
    """
    product = card.product_id
    if markets.only is not None or product is None or not _PRODUCT.fullmatch(product):
        return []
    call = CatalogCall("product", {"product_id": product}, CardList, checks.check_list)
    others = [each for each in markets.backends if each.name != market.name]
    found = await asyncio.gather(*(_read(each, call, headers) for each in others))
    return [row for rows in found for row in rows]


async def _read(
    market: MarketBackend, call: CatalogCall, headers: bytes
) -> Sequence[CardElsewhere]:
    try:
        found: Any = await market.reader.read(call, headers, market.merge_deadline())
    except ProblemError:
        return ()  # the card is answered, whatever happens in other markets
    return [
        CardElsewhere(
            found.market,
            found.currency,
            card.card_id,
            card.slug,
            card.printing,
            card.market_price,
            card.fair_price,
            card.date,
        )
        for card in found.cards
    ]
