"""The `/catalog/collection` query: the worth of a collection at the prices of the served book."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pokewatch.collection.exports import Collection, read_collection
from pokewatch.collection.headers import ALONE, EXAMPLE, KNOWN_HEADERS
from pokewatch.collection.worth import value_collection
from pokewatch.contract import (
    COLLECTION_FIELDS,
    MAX_COLLECTION_CELL,
    MAX_COLLECTION_LINES,
    Fees,
)
from pokewatch.errors import SettingsError
from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.sheet import Sheet, TableError
from pokewatch.market.tabular.text import read_text
from pokewatch.serving.catalog_cards import BookQuery
from pokewatch.serving.loaded_books import LoadedBook

_Cell = Annotated[str, Field(max_length=MAX_COLLECTION_CELL)]
# Headers, blank lines and lines that are no cards among them. A body of 4 MiB may have 4 million
# lines: reading 2 million takes the server 25 s.
_MOST_FILE_LINES = 2 * MAX_COLLECTION_LINES


class BookCollectionQuery(BookQuery):
    """A file, as Base64 of its bytes, or lines with the fields of COLLECTION_FIELDS."""

    file: str | None = None
    lines: Annotated[list[dict[str, _Cell]], Field(max_length=MAX_COLLECTION_LINES)] | None = None
    fees: Fees | None = None


class BookResolveQuery(BookQuery):
    """Lines with the fields of COLLECTION_FIELDS."""

    lines: Annotated[list[dict[str, _Cell]], Field(max_length=MAX_COLLECTION_LINES)]


class CollectionError(ValueError):
    """A collection that cannot be read or valued, and what would do."""


def collection(loaded: LoadedBook, query: BookCollectionQuery) -> dict[str, Any]:
    """Return the worth of a collection. Raise CollectionError."""
    try:
        found = _collection(query)
        if len(found.lines) > MAX_COLLECTION_LINES:
            raise CollectionError(
                f"the collection has {len(found.lines):,} lines, at most "
                f"{MAX_COLLECTION_LINES:,} are valued at once: split it"
            )
        return value_collection(loaded.book, loaded.matcher(), found, query.fees)
    except (TableError, ValueError, SettingsError) as error:
        raise CollectionError(str(error)) from None


def resolve(loaded: LoadedBook, query: BookResolveQuery) -> dict[str, Any]:
    """Return the card that each line names, or those that it may be. Raise CollectionError."""
    try:
        found = _collection(BookCollectionQuery(lines=query.lines))
    except (TableError, ValueError) as error:
        raise CollectionError(str(error)) from None
    cards, matcher = loaded.book.cards, loaded.matcher()
    resolved = {}
    for line, match in zip(found.lines, matcher.match_all(found.lines), strict=True):
        matched = match.outcome == "matched"
        resolved[line.line] = {
            "outcome": match.outcome,
            "reason": match.reason,
            "card_id": cards.ids[match.position] if matched else None,
            "card": cards.slugs[match.position] if matched else None,
            "candidates": [cards.slugs[at] for at in match.candidates],
        }
    for refused in found.refused:
        resolved[refused.line] = _unresolved(refused.reason)
    return {"cards": [resolved[at + 1] for at in range(len(query.lines))]}


def _unresolved(reason: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"card_id": None, "card": None, "candidates": []}
    return {"outcome": "unmatched", "reason": reason, **nothing}


def _collection(query: BookCollectionQuery) -> Collection:
    if query.file is not None:
        try:
            data = b64decode(query.file, validate=True)
        except Base64Error:
            raise CollectionError("the file is not Base64") from None
        known = KNOWN | KNOWN_HEADERS  # as `pokewatch collection value` reads a file
        sheet = read_text(data, known, alone=ALONE, example=EXAMPLE, most=_MOST_FILE_LINES)
        return read_collection(sheet)
    lines = query.lines or []
    unknown = {name for line in lines for name in line} - set(COLLECTION_FIELDS)
    if unknown:
        raise CollectionError(
            f"unknown field {min(unknown)[:40]!r}; lines have {', '.join(COLLECTION_FIELDS)}"
        )
    cells = tuple(
        pa.chunked_array([pa.array([line.get(name) for line in lines], pa.string())])
        for name in COLLECTION_FIELDS
    )
    numbers = np.arange(1, len(lines) + 1, dtype=np.int64)
    return read_collection(Sheet(COLLECTION_FIELDS, cells, numbers))
