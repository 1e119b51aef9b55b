"""Cards by product: the same product of TCGplayer may be a card of several markets."""

import json
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pokewatch.serving.catalog_cards import BookQuery, described_cards
from pokewatch.serving.loaded_books import LoadedBook


class BookProductQuery(BookQuery):
    product_id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


def product(loaded: LoadedBook, query: BookProductQuery) -> dict[str, Any]:
    """Return the cards of a TCGplayer product, with their latest prices."""
    ids = loaded.book.cards.column("source_ids")
    matches = pc.fill_null(pc.match_substring(ids, query.product_id), False)
    rows = np.flatnonzero(matches.to_numpy(zero_copy_only=False))
    found = [at for at in rows.tolist() if product_of(loaded, at) == query.product_id]
    return {"cards": described_cards(loaded, np.array(found, dtype=np.intp))}


def product_of(loaded: LoadedBook, position: int) -> str | None:
    """Return the id of a card's product at TCGplayer, None if it is not known."""
    [text] = loaded.book.cards.column("source_ids").take(pa.array([position])).to_pylist()
    found = json.loads(text or "{}").get("tcgplayer")
    return None if found is None else str(found)
