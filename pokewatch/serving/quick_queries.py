"""Queries of the catalogue that are answered without a thread."""

from typing import Any

from pokewatch.contract import MAX_QUERIES
from pokewatch.serving.loaded_books import LoadedBook

_OF_A_CARD = ("card", "history", "printings")


def is_quick(loaded: LoadedBook, name: str, payload: Any) -> bool:
    """Return whether a query, or each of a batch, is about a known card.

    It then takes a fraction of a millisecond, and a thread would wait longer than that for a busy
    event loop to release the interpreter. Other queries look through all cards, as does that for a
    card that is not known.
    """
    queries = payload.get("queries") if name == "batch" and isinstance(payload, dict) else None
    if queries is None:
        queries = [{"query": name, "payload": payload}]
    if not isinstance(queries, list) or not 0 < len(queries) <= MAX_QUERIES:
        return False
    cards = {_card(each) for each in queries}
    return None not in cards and bool((loaded.book.cards.positions([*map(str, cards)]) >= 0).all())


def _card(query: Any) -> str | None:
    """Return the card that a query of a batch is about, None for another query."""
    if not isinstance(query, dict) or query.get("query") not in _OF_A_CARD:
        return None
    payload = query.get("payload")
    card = payload.get("card_id") if isinstance(payload, dict) else None
    return card if isinstance(card, str) else None
