"""The `/catalog/names` query: what tells several cards from others of their names."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pokewatch.contract import MAX_PAGE_SIZE
from pokewatch.serving.catalog_cards import BookQuery, Text
from pokewatch.serving.loaded_books import LoadedBook

_FIELDS = ("card_id", "slug", "name", "set_name", "number", "printing")


class BookNamesQuery(BookQuery):
    cards: Annotated[list[Text], Field(max_length=MAX_PAGE_SIZE)]


def names(loaded: LoadedBook, query: BookNamesQuery) -> dict[str, Any]:
    """Return the names of cards, each once, without those that are unknown."""
    cards = loaded.book.cards
    positions = cards.positions(query.cards)
    described = cards.describe(np.unique(positions[positions >= 0]))
    return {"cards": [{name: card[name] for name in _FIELDS} for card in described]}
