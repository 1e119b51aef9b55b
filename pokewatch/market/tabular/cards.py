"""The cards of a table: of each column the last value that is not empty."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.merge import short_slug
from pokewatch.market.tabular.cells import plain_texts
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.dates import parse_date
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


def card_rows(
    sheet: Sheet,
    columns: Columns,
    card_id: NDArray[np.str_],
    raw_id: list[str | None],
    order: NDArray[np.int64],
) -> pa.Table:
    """Return a row per card (CARD_SCHEMA); `order` [k] are the rows that count, oldest first."""
    ids = card_id[order]
    cards, code = np.unique(ids, return_inverse=True)
    said = {
        name: _last(plain_texts(sheet.column(columns.named[name])), order, code, len(cards))
        for name in _TEXTS
        if name in columns.named
    }
    last = np.zeros(len(cards), dtype=np.int64)
    last[code] = order
    rows = []
    for index, card in enumerate(cards.tolist()):
        told = {name: said[name][index] if name in said else None for name in _TEXTS}
        name = told["name"] or card
        set_name = told["set_name"] or told["set_id"] or ""
        source_ids = {"file": raw_id[int(last[index])]} | (
            {"tcgplayer": told["product_id"]} if told["product_id"] else {}
        )
        rows.append(
            {
                "card_id": card,
                "slug": short_slug(name, told["number"] if told["name"] else None),
                "name": name,
                "set_id": told["set_id"] or set_name,
                "set_name": set_name,
                "number": told["number"],
                "rarity": told["rarity"],
                "printing": told["printing"],
                "released": _day(told["released"]),
                "image_url": _https(told["image_url"]),
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


def _day(text: str | None) -> date | None:
    cell = parse_date(text) if text else None
    return next(iter(cell.days.values())) if cell is not None and cell.certain else None


def _https(address: str | None) -> str | None:
    return address if address and address.startswith("https://") else None
