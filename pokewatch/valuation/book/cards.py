"""The catalogue of a book: cards by id or slug, by search, and by similarity of slugs."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice, repeat
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.errors import UnknownCardError
from pokewatch.valuation.book.layout import numbers
from pokewatch.valuation.book.slugs import REMEMBERED, Slugs
from pokewatch.valuation.book.text_columns import containing, most_similar, one_chunk

_FIELDS = (
    "card_id",
    "slug",
    "name",
    "set_id",
    "set_name",
    "number",
    "rarity",
    "printing",
    "released",
    "image_url",
    "game",
    "kind",
    "language",
    "set_code",
)
_APOSTROPHES = str.maketrans("", "", "'\u2019")
_WORD = re.compile(r"[^\W_]+")
_BLOCK = 16_384  # cards that are searched first, and twice as many each time until enough are found
_FEW_ROWS = 6  # up to this many are read faster value by value than by `take`


def search_text(text: str) -> str:
    """Return lower-case words without accents or punctuation.

    "Pokémon-ex #199/165" becomes "pokemon ex 199 165".
    """
    plain = text if text.isascii() else _without_accents(text)
    return " ".join(_WORD.findall(plain.casefold().translate(_APOSTROPHES)))


class _Letters(dict[int, int | None]):
    """Code points as they are, and None for those that combine with a letter."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if unicodedata.combining(chr(code)) else code
        return self[code]


_PLAIN_LETTERS = _Letters()


def _without_accents(text: str) -> str:
    return unicodedata.normalize("NFKD", text).translate(_PLAIN_LETTERS)


_numbers: list[int] = []
_numbers_lock = Lock()


def _shared_numbers(count: int) -> Iterator[int]:
    """Return the numbers below `count`, the same objects for the books of all markets.

    Those of 50,000 cards take 1.5 MB.
    """
    with _numbers_lock:
        _numbers.extend(range(len(_numbers), count))
    return islice(_numbers, count)


class Cards:
    """The catalogue of a book (BOOK_CARD_SCHEMA), in the order of its rows."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.ids: list[str] = table["card_id"].to_pylist()
        self.slugs = Slugs(table["slug"])
        self._at: dict[str, int] = {self.slugs[at]: at for at in self.slugs.collisions}
        self._at.update(zip(self.ids, _shared_numbers(len(self.ids)), strict=True))
        # The slugs that are asked for first, as a search in the file takes longer.
        self._most_names = len(self._at) + REMEMBERED

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, cards: Sequence[str]) -> NDArray[np.intp]:
        """Return the position of each card id or slug in the book, -1 for an unknown one."""
        found = np.fromiter(map(self._at.get, cards, repeat(-1)), dtype=np.intp, count=len(cards))
        others = np.flatnonzero(found < 0)
        if len(others):
            slugs = [cards[row] for row in others.tolist()]
            found[others] = positions = self.slugs.positions(slugs)
            if len(self._at) < self._most_names:
                known = zip(slugs, positions.tolist(), strict=True)
                self._at.update((slug, at) for slug, at in known if at >= 0)
        return found

    def position(self, card: str) -> int:
        """Return the position of a card. Raise UnknownCardError with similar slugs."""
        found = int(self.positions([card])[0])
        if found < 0:
            raise UnknownCardError(card, self.near(card))
        return found

    def describe(self, positions: NDArray[np.intp]) -> list[dict[str, Any]]:
        """Return the catalogue fields of the cards at `positions`; `released` is ISO text."""
        rows = self._rows(positions.tolist())
        for row in rows:
            row["released"] = row["released"].isoformat() if row["released"] else None
        return rows

    def _rows(self, positions: list[int]) -> list[dict[str, Any]]:
        table = self._table.select(_FIELDS)
        if len(positions) > _FEW_ROWS:
            rows: list[dict[str, Any]] = table.take(pa.array(positions, pa.int64())).to_pylist()
            return rows
        columns = dict(zip(_FIELDS, table.columns, strict=True))
        return [{name: column[at].as_py() for name, column in columns.items()} for at in positions]

    def search(
        self,
        words: str = "",
        set_name: str | None = None,
        rarity: str | None = None,
        *,
        limit: int,
        after: str | None = None,
    ) -> NDArray[np.intp]:
        """Return the positions of up to `limit` cards that match all words, after the card `after`.

        A number may also be the card's id at a source, such as the id of a TCGplayer product.
        `set_name` is the id or name of a set; it and `rarity` are compared without case. No card
        matches a text that has no words, such as "?!"; all do without a text. Raise
        UnknownCardError for an unknown `after`.
        """
        wanted = search_text(words).split()
        found = np.empty(0, dtype=np.intp)
        start = 0 if after is None else self.position(after) + 1
        if words.strip() and not wanted:
            return found
        size = _BLOCK
        while start < len(self) and len(found) < limit:
            table = self._table.slice(start, size)
            matches = _containing(table, wanted)
            if set_name:
                matches &= _equal(table["set_id"], set_name) | _equal(table["set_name"], set_name)
            if rarity:
                matches &= _equal(table["rarity"], rarity)
            found = np.concatenate((found, np.flatnonzero(matches) + start))
            start, size = start + size, 2 * size
        return found[:limit]

    def near(self, card: str, count: int = 3) -> list[str]:
        """Return the slugs most similar to `card`, best first."""
        return most_similar(self._table["slug"], search_text(card).replace(" ", "_"), count)

    def containing(self, word: str) -> NDArray[np.bool_]:
        """Return which cards contain a word in their search text, or a number as a source's id."""
        return _containing(self._table, [word])

    def starting_with(self, positions: NDArray[np.intp], word: str) -> NDArray[np.bool_]:
        """Return whether the name of each card at `positions` starts with `word`."""
        texts = self._table["search"].take(pa.array(positions.tolist(), pa.int64()))
        return _mask(pc.starts_with(texts, word))

    def of_product(self, product: str) -> NDArray[np.intp]:
        """Return the positions of the printings of a product, by its id in the source."""
        return np.flatnonzero(containing(self._table["card_id"], f"-{product}-"))

    def printings(self, position: int) -> NDArray[np.intp]:
        """Return the other cards with the same name, set and number as the card at `position`."""
        same = self.of_print == self.of_print[position]
        same[position] = False
        return np.flatnonzero(same)

    @cached_property
    def of_print(self) -> NDArray[np.int32]:
        """A number from 0 for each card, the same for all with one name, set and number."""
        combined = np.zeros(len(self), dtype=np.int64)
        for field in ("set_id", "name", "number"):
            encoded = one_chunk(self._table[field]).dictionary_encode()
            combined *= len(encoded.dictionary) + 1
            combined += numbers(pc.fill_null(encoded.indices, -1), np.int32) + 1
        return np.unique(combined, return_inverse=True)[1].astype(np.int32)

    def search_texts(self) -> pa.ChunkedArray:
        """Return the normalised text of each card that searches look in."""
        return self._table["search"]

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column of the catalogue."""
        return self._table[name]


def _containing(table: pa.Table, words: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows contain all `words`.

    Each is sought where those before it were found: numbers first, then longer words.
    """
    texts = table.select(["search", "source_ids"])
    rows = np.arange(table.num_rows)
    for word in sorted(set(words), key=lambda word: (not _is_number(word), -len(word))):
        found = containing(texts["search"], word)
        if _is_number(word):
            found |= _of_source(texts["source_ids"], word)
        if not found.all():
            rows = rows[found]
            texts = texts.filter(pa.array(found))
    matches = np.zeros(table.num_rows, dtype=np.bool_)
    matches[rows] = True
    return matches


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _of_source(ids: pa.ChunkedArray, number: str) -> NDArray[np.bool_]:
    """Return which rows have the whole `number` as an id; a regular expression alone is slow."""
    found = containing(ids, number)
    rows = np.flatnonzero(found)
    some = ids.take(pa.array(rows))
    found[rows] = _mask(pc.match_substring_regex(some, rf"\b{number}\b"))
    return found


def _equal(column: pa.ChunkedArray, text: str) -> NDArray[np.bool_]:
    return _mask(pc.equal(pc.utf8_lower(column), text.lower()))


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return numbers(pc.fill_null(values, False).cast(pa.uint8()), np.bool_)
