"""Exporting days of the lake into one file."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import csv

from pokewatch.errors import LakeError
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA


def export(lake: Lake, days: Sequence[date], path: Path, file_format: str) -> int:
    """Write those of `days` that the lake has to `path`, as "parquet" or "csv"; return the rows.

    The file appears complete or not at all. Raise LakeError if the lake has none of the days.
    """
    requested = set(days)
    found = [day for day in lake.days() if day in requested]
    if not found:
        raise LakeError(
            f"nothing to export: the lake at {lake.root} has none of the {len(requested)} days "
            f"from {min(requested)} to {max(requested)}; collect them first"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        writer = (
            pq.ParquetWriter(part, PRICE_SCHEMA, compression="zstd")
            if file_format == "parquet"
            else csv.CSVWriter(part, PRICE_SCHEMA)
        )
        rows = 0
        with writer:
            for day in found:
                prices = lake.day(day)
                writer.write_table(prices)
                rows += prices.num_rows
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return rows
