"""Suggestions while a user types: cards by name, number or product id, tolerant of typing errors.

A pasted address of a listing is searched by its product id, or by the words of its path.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.valuation.book.cards import Cards, search_text
from pokewatch.valuation.book.text_columns import most_similar

_ADDRESS = re.compile(r"https?://[^/?#\s]+(?P<path>[^?#\s]*)", re.IGNORECASE)
_PRODUCT_PATH = re.compile(r"/products?/(\d{1,12})(?:/|$)")
_PRODUCT_NUMBER = re.compile(r"\d{3,12}")
_MAX_WORDS = 8
_LEAST_LETTERS = 3  # a shorter word with a typing error could be anything
_LEAST_SIMILARITY = 0.7  # of letters, below which a word is another one
_CORRECTIONS = 3  # similar words that stand in for one that occurs nowhere


class Suggestions:
    """The suggestions from a book's cards. `price` [n] ranks cards that match equally well."""

    def __init__(self, cards: Cards, price: NDArray[np.float64]) -> None:
        self._cards = cards
        self._price = np.nan_to_num(price)

    def find(self, text: str, limit: int) -> NDArray[np.intp]:
        """Return the positions of up to `limit` cards, best first.

        Cards that contain every word come first: those whose name starts with the first word, then
        the most expensive ones. If there are none, words that no card contains are replaced by the
        most similar ones that occur.
        """
        product, words = parse_search(text)
        if product is not None:
            found = self._cards.of_product(product)
            if len(found):
                return found[:limit]
        if not words:
            return np.empty(0, dtype=np.intp)
        by_word = {word: self._cards.containing(word) for word in words}
        matches = np.all([*by_word.values()], axis=0)
        if not matches.any():
            matches = self._corrected(by_word)
        return self._best(np.flatnonzero(matches), words[0], limit)

    def _best(self, found: NDArray[np.intp], word: str, limit: int) -> NDArray[np.intp]:
        starts = self._cards.starting_with(found, word)
        if np.count_nonzero(starts) >= limit:
            found, starts = found[starts], starts[starts]
        price = self._price[found]
        alike = starts.all() or not starts.any()
        if alike and len(found) > limit:  # what is cheaper than the last one is not sorted
            among = price >= np.partition(price, -limit)[-limit]
            found, starts, price = found[among], starts[among], price[among]
        return found[np.lexsort((-price, ~starts))][:limit]

    def _corrected(self, by_word: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return which cards contain each word, or one similar to it if none contains it."""
        matches = np.ones(len(self._cards), dtype=np.bool_)
        for word, found in by_word.items():
            similar: list[str] = []
            if not found.any() and len(word) >= _LEAST_LETTERS:
                similar = most_similar(self._vocabulary, word, _CORRECTIONS, _LEAST_SIMILARITY)
            matches &= np.any([found, *map(self._cards.containing, similar)], axis=0)
            if not matches.any():
                break
        return matches

    @cached_property
    def _vocabulary(self) -> pa.ChunkedArray:
        """Distinct words of all cards, without those of one or two letters."""
        words = pc.unique(pc.list_flatten(pc.split_pattern(self._cards.search_texts(), " ")))
        return pa.chunked_array(
            [words.filter(pc.greater_equal(pc.utf8_length(words), _LEAST_LETTERS))]
        )


def parse_search(text: str) -> tuple[str | None, list[str]]:
    """Return the product id in `text`, None if there is none, and the words to search for."""
    address = _ADDRESS.match(text.strip())
    if address:
        match = _PRODUCT_PATH.search(address["path"])
        segments = [part for part in unquote(address["path"]).split("/") if part][-2:]
        words = search_text(" ".join(segments)).split()
        return (match[1] if match else None), words[-_MAX_WORDS:]
    words = search_text(text).split()[:_MAX_WORDS]
    product = words[0] if len(words) == 1 and _PRODUCT_NUMBER.fullmatch(words[0]) else None
    return product, words
