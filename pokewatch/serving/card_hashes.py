"""The hashes of a book's cards, by which a gateway finds the market of a card."""

import json

import numpy as np

from pokewatch.contract import card_hash
from pokewatch.serving.loaded_books import LoadedBook


def card_hashes(loaded: LoadedBook) -> bytes:
    """Return a line of JSON with the market and the versions, then the sorted hashes.

    Each card has two, of its id and of its slug, as unsigned 64-bit integers, little-endian.
    """
    cards = loaded.book.cards
    joined = b"".join([card_hash(name) for names in (cards.ids, cards.slugs) for name in names])
    hashes = np.unique(np.frombuffer(joined, dtype="<u8"))
    return json.dumps(loaded.versions()).encode() + b"\n" + hashes.tobytes()
