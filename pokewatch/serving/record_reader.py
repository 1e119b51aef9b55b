"""The track record that this process serves: its document, and pieces of its files."""

import hashlib
import io
import logging
import re
import threading
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from pokewatch.csv_cells import safe_cell
from pokewatch.errors import RegistryError, TrackRecordError
from pokewatch.serving.registry_process import ask_registry
from pokewatch.settings import RegistrySettings
from pokewatch.valuation.book import BookFacts
from pokewatch.valuation.track_record import DOCUMENT, FORECAST_SCHEMA, TrackRecord, read_record

logger = logging.getLogger("pokewatch.serving")

PIECE_BYTES = 4 * 1024 * 1024
_FILE = re.compile(r"\d{4}-\d{2}-([0-9a-f]{16})\.parquet")
_TEXTS = ("name", "set_name", "model", "source")  # of others: may begin like a formula
_RESTORE_SECONDS = 900.0

_Version = tuple[int, int, int]


class RecordReader:
    """The track record in `folder`, read again whenever its document changes.

    An unreadable document counts as missing and is logged once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version: _Version | None = None
        self._record: TrackRecord | None = None
        self._digest = ""
        self._verified: dict[str, _Version] = {}

    def current(self) -> TrackRecord | None:
        """Return the record, None if there is none or it is unreadable."""
        try:
            version = _version(self._folder / DOCUMENT)
        except OSError:
            self._version, self._record, self._digest = None, None, ""
            return None
        if version != self._version:
            self._record = self._read()
            self._digest = self._record.digest if self._record else ""
            self._version = version
        return self._record

    def digest(self) -> str:
        """Return the digest of the record, "" if there is none."""
        self.current()
        return self._digest

    def empty(self, kind: Literal["csv", "parquet"]) -> bytes:
        """Return a file without forecasts."""
        table, written = FORECAST_SCHEMA.empty_table(), io.BytesIO()
        if kind == "csv":
            csv.write_csv(table, written)
        else:
            pq.write_table(table, written)
        return written.getvalue()

    def parquet(self, name: str, number: int) -> bytes:
        """Return piece `number` of a file, b"" after its end. Raise TrackRecordError."""
        with self._file(name).open("rb") as file:
            file.seek(number * PIECE_BYTES)
            return file.read(PIECE_BYTES)

    def csv(self, name: str, number: int, *, header: bool) -> bytes:
        """Return the forecasts of issue `number` of a file as CSV, b"" after the last issue.

        Raise TrackRecordError.
        """
        with pq.ParquetFile(self._file(name)) as opened:
            if number >= opened.num_row_groups:
                return b""
            table = opened.read_row_group(number)
        for text in _TEXTS:
            table = table.set_column(
                table.schema.get_field_index(text), text, _safe(table[text].combine_chunks())
            )
        written = io.BytesIO()
        csv.write_csv(table, written, csv.WriteOptions(include_header=header))
        return written.getvalue()

    def _file(self, name: str) -> Path:
        """Return the path of a file whose content is the one in its name."""
        match = _FILE.fullmatch(name)
        if match is None:
            raise TrackRecordError(f"{name[:80]!r} is not the name of a file of a track record")
        path = self._folder / name
        try:
            version = _version(path)
            if self._verified.get(name) != version:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                if not digest.startswith(match[1]):
                    raise TrackRecordError(f"{name} is damaged")
                self._verified[name] = version
        except OSError:
            raise TrackRecordError(f"there is no file {name}") from None
        return path

    def _read(self) -> TrackRecord | None:
        try:
            return read_record(self._folder)
        except (OSError, TrackRecordError) as error:
            logger.warning("ignoring the track record in %s: %s", self._folder, error)
            return None


def restore_in_background(facts: BookFacts, market: str) -> None:
    """Restore the record of a book from the registry, where the flows run on another machine.

    `market` is "" for the only one of a home. An embedded registry is on this machine, and so is
    the record. Failures are logged: prices are served without a track record.
    """
    if not RegistrySettings.read().is_embedded():
        threading.Thread(target=_restore, args=(facts, market), daemon=True).start()


def _restore(facts: BookFacts, market: str) -> None:
    try:
        ask_registry(
            "pokewatch.serving.record_store",
            facts.source,
            facts.market,
            seconds=_RESTORE_SECONDS,
            failure="not restored",
            market=market,
        )
    except RegistryError as error:
        logger.warning("the track record of %s cannot be restored: %s", facts.market, error)


def _safe(texts: pa.Array) -> pa.Array:
    encoded = texts.dictionary_encode()
    safe = pa.array([safe_cell(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return safe.take(encoded.indices)


def _version(path: Path) -> _Version:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
