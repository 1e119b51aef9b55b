"""Opening a price book and looking cards up in it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.errors import BookError
from pokewatch.valuation.book.cards import Cards
from pokewatch.valuation.book.layout import (
    BOOK_CARD_SCHEMA,
    CENTS,
    COLUMNS,
    DATE_SCHEMA,
    FILES,
    MANIFEST,
    STATUSES,
    UNKNOWN_CARD,
    UNKNOWN_DATE,
    BookFacts,
    Manifest,
    column_schema,
    from_cents,
    from_float32,
    is_digest,
    numbers,
)

_STATUS_TEXTS = np.array(STATUSES, dtype=object)
_HASHING_THREADS = 4

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class BookQuotes:
    """What the book says of n cards, each on a day: `position` in the book and `date` datetime64[D], -1 and NaT where it has none.

    Prices are NaN where there is none. `status` is text: one of STATUSES, or `unknown_date` for a day before the book's first.
    """

    position: NDArray[np.intp]
    date: Dates
    market: Floats
    low: Floats
    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class CardHistory:
    """One card's days, ascending."""

    date: Dates
    market: Floats
    low: Floats
    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.object_]


class PriceBook:
    """A verified, memory-mapped book. Safe to share between threads; its files stay mapped until the last reference goes."""

    def __init__(self, manifest: Manifest, digest: str, files: Mapping[str, pa.Buffer]) -> None:
        self.digest = digest
        self.facts: BookFacts = manifest.facts
        self.first_day, self.last_day = manifest.first_day, manifest.last_day
        self.cards = Cards(_table(files, "cards.arrow", BOOK_CARD_SCHEMA, manifest.cards))
        days = _table(files, "dates.arrow", DATE_SCHEMA, manifest.days)["date"]
        self.dates: Dates = numbers(days, np.int32).astype("datetime64[D]")
        self._columns = {name: _matrix(files, name, manifest) for name in COLUMNS}
        self._latest = self._last_days()

    @classmethod
    def open(cls, folder: Path, digest: str) -> Self:
        """The book in `folder`, once its manifest has the SHA-256 `digest` and every file the one that the manifest names.

        Raises BookError saying what is wrong: missing, damaged, truncated, foreign or of a newer format.
        """
        if not is_digest(digest):
            raise BookError(f"{digest[:80]!r} is not the digest of a book: 64 hexadecimal digits")
        content = _mapped(folder / MANIFEST).to_pybytes()
        if (found := hashlib.sha256(content).hexdigest()) != digest:
            raise BookError(
                f"the book in {folder} is not the one asked for: its digest is {found}, wanted {digest}"
            )
        manifest = Manifest.parse(content)
        with ThreadPoolExecutor(_HASHING_THREADS) as threads:
            files = threads.map(lambda name: _verified(folder / name, manifest.files[name]), FILES)
            return cls(manifest, digest, dict(zip(FILES, files, strict=True)))

    def look_up(self, cards: Sequence[str], days: Dates | None = None) -> BookQuotes:
        """The row of each card (id or slug) on the book's latest day on or before the day asked; NaT, or no `days`, is the latest."""
        position = self.cards.positions(cards)
        if days is None:
            return BookQuotes(
                position, **{name: values[position] for name, values in self._latest.items()}
            )
        day = np.searchsorted(self.dates, days, side="right") - 1
        unknown = (position < 0) | (day < 0)
        found = {
            name: _decoded(name, column[position, day]) for name, column in self._columns.items()
        }
        for name, values in found.items():
            values[unknown] = np.nan if name != "status" else UNKNOWN_DATE
        found["status"][position < 0] = UNKNOWN_CARD
        found["date"] = np.where(unknown, np.datetime64("NaT"), self.dates[day])
        return BookQuotes(position, **found)

    def latest(self) -> BookQuotes:
        """Every card of the book on its last day."""
        return BookQuotes(
            np.arange(len(self.cards)),
            **{name: values[:-1] for name, values in self._latest.items()},
        )

    def history(self, card: str, start: date | None = None, end: date | None = None) -> CardHistory:
        """A card's days from `start` to `end`, both included. Raises UnknownCardError."""
        position = self.cards.position(card)
        first = (
            0
            if start is None
            else int(np.searchsorted(self.dates, np.datetime64(start), side="left"))
        )
        last = (
            len(self.dates)
            if end is None
            else int(np.searchsorted(self.dates, np.datetime64(end), side="right"))
        )
        days = slice(first, last)
        return CardHistory(
            self.dates[days],
            **{
                name: _decoded(name, column[position, days])
                for name, column in self._columns.items()
            },
        )

    def _last_days(self) -> dict[str, np.ndarray]:
        """The last day of every column, decoded, and behind it the row of an unknown card, which position -1 picks."""
        latest = {
            name: _decoded(name, np.append(column[:, -1], column.dtype.type(0)))
            for name, column in self._columns.items()
        }
        for name, values in latest.items():
            values[-1] = np.nan if name != "status" else UNKNOWN_CARD
        latest["date"] = np.full(len(self.cards) + 1, self.dates[-1])
        latest["date"][-1] = np.datetime64("NaT")
        return latest


_DECODERS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    name: from_cents if name in CENTS else _STATUS_TEXTS.take if name == "status" else from_float32
    for name in COLUMNS
}


def _decoded(name: str, stored: np.ndarray) -> np.ndarray:
    return _DECODERS[name](stored)


def _mapped(path: Path) -> pa.Buffer:
    """The content of a file, mapped. What is verified and what is read later are the same pages."""
    if path.is_symlink():
        raise BookError(f"{path} is a link: a book holds its own files")
    try:
        with pa.memory_map(str(path)) as file:
            return file.read_buffer()
    except (OSError, pa.ArrowInvalid) as error:
        raise BookError(f"{path} cannot be read: {error}") from None


def _verified(path: Path, digest: str) -> pa.Buffer:
    content = _mapped(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise BookError(
            f"{path} is damaged: its {content.size} bytes do not have the SHA-256 that the manifest names"
        )
    return content


def _table(files: Mapping[str, pa.Buffer], name: str, schema: pa.Schema, rows: int) -> pa.Table:
    try:
        table = pa.ipc.open_file(pa.BufferReader(files[name])).read_all()
    except pa.ArrowInvalid as error:
        raise BookError(f"{name} is not an Arrow file: {error}") from None
    if not table.schema.equals(schema) or table.num_rows != rows:
        raise BookError(f"{name} does not hold {rows} rows of {', '.join(schema.names)}")
    return table


def _matrix(files: Mapping[str, pa.Buffer], name: str, manifest: Manifest) -> np.ndarray:
    """A column [cards, days] without a copy."""
    table = _table(files, f"{name}.arrow", column_schema(name, manifest.days), manifest.cards)
    lists = table.column(0)
    if lists.num_chunks != 1:
        raise BookError(f"{name}.arrow holds {lists.num_chunks} batches, wanted 1")
    return numbers(lists.chunk(0).values, COLUMNS[name]).reshape(manifest.cards, manifest.days)
