"""The cards of a table: of each column the last value that is not empty."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.catalog import CARD_SCHEMA, CARDMARKET
from pokewatch.market.merge import preferred_slug
from pokewatch.market.sources.parsing import LONGEST_TEXT
from pokewatch.market.tabular.card_ids import field_texts
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.dates import day_of
from pokewatch.market.tabular.sheet import Sheet

_TEXTS = (
    "name",
    "set_id",
    "set_name",
    "number",
    "rarity",
    "printing",
    "image_url",
    "released",
    "product_id",
)


def long_texts(sheet: Sheet, columns: Columns) -> dict[str, NDArray[np.bool_]]:
    """Return by field the rows [m] whose text is longer than a card's may be, if there are any."""
    found = {}
    for field in ("card_id", *_TEXTS):
        column = sheet.column(columns.named[field]) if field in columns.named else None
        if column is None or pa.types.is_primitive(column.type):
            continue
        if _may_be_long(column.cast(pa.string())):
            rows = _too_long(field_texts(sheet, columns, field))
            found[field] = np.asarray(pc.fill_null(rows, False), dtype=np.bool_)
    return found


def _may_be_long(texts: pa.Array) -> bool:
    """Return whether a text has more bytes than a card's may have letters: quick to tell."""
    return bool((pc.max(pc.binary_length(texts)).as_py() or 0) > LONGEST_TEXT)


def _too_long(texts: pa.Array) -> pa.Array:
    return pc.greater(pc.utf8_length(texts), LONGEST_TEXT)


def _short(texts: pa.Array) -> pa.Array:
    """Return the texts, null where one is longer than a card's may be."""
    return pc.if_else(_too_long(texts), None, texts) if _may_be_long(texts) else texts


def card_rows(
    sheet: Sheet,
    columns: Columns,
    card_id: NDArray[np.str_],
    card_rank: NDArray[np.int64],
    raw_id: list[str | None],
    order: NDArray[np.int64],
) -> pa.Table:
    """Return a row per card (CARD_SCHEMA), sorted by id.

    `card_rank` are the ranks of `card_id`, and `order` [k] the rows that count, oldest first.
    """
    cards, code = np.unique(card_rank[order], return_inverse=True)
    said = {
        name: _last(_short(field_texts(sheet, columns, name)), order, code, len(cards))
        for name in _TEXTS
        if name in columns.named
    }
    last = np.zeros(len(cards), dtype=np.int64)
    last[code] = order
    rows, of_market = [], columns.has_market_ids
    for index, identity in enumerate(card_id[last].tolist()):
        card = {name: said[name][index] if name in said else None for name in _TEXTS}
        name = card["name"] or identity
        set_name = card["set_name"] or card["set_id"] or ""
        file_id = raw_id[int(last[index])] or identity
        source_ids = {"file": file_id} | (
            {"tcgplayer": card["product_id"]} if card["product_id"] else {}
        )
        if of_market:
            source_ids[CARDMARKET] = file_id.split()[0]  # further columns of the key follow it
        rows.append(
            {
                "card_id": identity,
                "slug": preferred_slug(name, card["number"] if card["name"] else None),
                "name": name,
                "set_id": card["set_id"] or set_name,
                "set_name": set_name,
                "number": card["number"],
                "rarity": card["rarity"],
                "printing": card["printing"],
                "released": day_of(card["released"] or ""),
                "image_url": _https(card["image_url"]),
                "source_ids": json.dumps(source_ids),
            }
        )
    return pa.Table.from_pylist(rows, schema=CARD_SCHEMA)


def _last(
    column: pa.Array, order: NDArray[np.int64], code: NDArray[np.int64], cards: int
) -> list[str | None]:
    """Return each card's last value in `order` that is not empty."""
    taken = column.take(pa.array(order))
    filled = np.asarray(taken.is_valid())
    last = np.full(cards, -1, dtype=np.int64)
    last[code[filled]] = np.flatnonzero(filled)
    return [None if row < 0 else taken[row].as_py() for row in last.tolist()]


def _https(address: str | None) -> str | None:
    return address if address and address.startswith("https://") else None
