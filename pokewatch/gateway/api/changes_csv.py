"""Price changes as CSV, for spreadsheets."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from pokewatch.csv_cells import BYTE_ORDER_MARK, safe_cell
from pokewatch.gateway.api.market_schemas import ChangedCard, PriceChanges
from pokewatch.gateway.http.middleware import Header

CSV_HEADER: Header = (b"content-type", b"text/csv; charset=utf-8")
COLUMNS = (
    "direction",
    "card_id",
    "slug",
    "name",
    "set_name",
    "number",
    "rarity",
    "printing",
    "price_before",
    "market_price",
    "change_pct",
    "alone",
    "low_price",
    "fair_price",
    "lower",
    "upper",
    "status",
    "market",
    "currency",
    "since",
    "date",
)


def changes_csv(found: PriceChanges) -> bytes:
    """Return the changes as CSV (RFC 4180), rises first."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for direction, cards in (("up", found.up), ("down", found.down)):
        for card in cards:
            writer.writerow(_cells(direction, card, found))
    return text.getvalue().encode()


def changes_file(found: PriceChanges) -> bytes:
    """Return the same as a file to download, which spreadsheets read as UTF-8."""
    return BYTE_ORDER_MARK + changes_csv(found)


def _cells(direction: str, card: ChangedCard, found: PriceChanges) -> Iterator[Any]:
    shared = {
        "direction": direction,
        "market": found.market,
        "currency": found.currency,
        "since": found.since,
    }
    for name in COLUMNS:
        yield safe_cell(shared[name] if name in shared else getattr(card, name))
