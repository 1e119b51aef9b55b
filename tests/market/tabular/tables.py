"""Tables of prices, as tests read them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import PriceTable, read_price_table
from pokewatch.market.tabular.reading import read_sheet

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


Found = list[tuple[str, str, float | None]]


def table_of(path: Path, **options: Any) -> PriceTable:
    given = TableOptions(**options)
    return read_price_table(read_sheet(path), given, "file", NOW.date(), NOW)


def read(tmp_path: Path, content: str | bytes, **options: Any) -> PriceTable:
    path = tmp_path / "prices.any"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return table_of(path, **options)


def found(table: PriceTable) -> Found:
    return [
        (row["card_id"], row["date"].isoformat(), row["market_price"])
        for row in table.prices.to_pylist()
    ]


A_12 = [("a-1", "2026-09-13", 12.5)]
