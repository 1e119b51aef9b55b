"""Exporting days of the lake into one file."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pyarrow.parquet as pq
from pyarrow import csv

from pokewatch.atomic_file import atomic_file
from pokewatch.errors import LakeError
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA


def export(lake: Lake, days: Sequence[date], path: Path, file_format: str) -> int:
    """Write those of `days` that the lake has to `path`, as "parquet" or "csv"; return the rows.

    The file appears complete or not at all. Raise LakeError if the lake has none of the days, or
    if the file cannot be written.
    """
    requested = set(days)
    found = [day for day in lake.days() if day in requested]
    if not found:
        raise LakeError(
            f"nothing to export: the lake at {lake.root} has none of the {len(requested)} days "
            f"from {min(requested)} to {max(requested)}; collect them first"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            return _write(lake, found, file, file_format)
    except OSError as error:
        raise LakeError(f"{path} cannot be written: {error.strerror or error}") from error


def _write(lake: Lake, days: Sequence[date], file: BinaryIO, file_format: str) -> int:
    writer = (
        pq.ParquetWriter(file, PRICE_SCHEMA, compression="zstd")
        if file_format == "parquet"
        else csv.CSVWriter(file, PRICE_SCHEMA)
    )
    rows = 0
    with writer:
        for day in days:
            prices = lake.day(day)
            writer.write_table(prices)
            rows += prices.num_rows
    return rows
