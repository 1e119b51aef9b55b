"""The files of exports: made once for each book, range of days and format, and served many times.

A file is named by what it contains (the book, its versions and the days) and by the SHA-256 of its
bytes, which is its entity tag: a download that continues on another replica, or after a restart,
gets the same bytes or starts again.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlserver.errors import MLServerError
from numpy.typing import NDArray

from pokewatch.contract import EXPORT_PREPARING, ExportFormat, parse_history
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.settings import Home, ServingSettings
from pokewatch.settings.home import private_folder
from pokewatch.valuation.book.export import (
    EXPORT_SCHEMA,
    ExportVersions,
    exported_days,
    write_export,
)
from pokewatch.valuation.signals import configured_thresholds
from pokewatch.wording import counted

logger = logging.getLogger("pokewatch.serving")

WAIT_SECONDS = 4.0  # for a file that is being made; then the client is asked to try again
_MAX_WAITING = 4  # files to be made
_ALWAYS_KEPT = 2  # the files used last
_MIB = 1_048_576
_TAG_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A complete file and its entity tag."""

    path: Path
    tag: str


class ExportFiles:
    """The exports of the served books, in POKEWATCH_HOME. One is made at a time.

    `find` belongs to one event loop.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "export")
        self._making: dict[str, asyncio.Future[ExportFile]] = {}

    async def find(self, loaded: LoadedBook, file_format: ExportFormat, history: str) -> ExportFile:
        """Return the file of an export, made if there is none yet.

        `history` is a range of days as `parse_history` reads it; "" is the last day of the book.
        Raise MLServerError: 409 for days that the book does not have, 422 for more rows than an
        export may have, 503 while the file is being made or if it cannot be.
        """
        days = _days(loaded, history)
        name = _name(loaded, days, file_format)
        making = self._making.get(name)
        if making is None:
            folder = Home.read().served_exports
            found = await asyncio.to_thread(_existing, folder, name, file_format)
            if found is not None:
                return found
            making = self._making.get(name) or self._make(loaded, days, folder, name, file_format)
        try:
            return await asyncio.wait_for(asyncio.shield(making), WAIT_SECONDS)
        except TimeoutError:
            raise MLServerError(EXPORT_PREPARING, 503) from None
        except OSError as error:
            reason = error.strerror or error
            raise MLServerError(f"the export cannot be written: {reason}", 503) from error

    def _make(
        self,
        loaded: LoadedBook,
        days: NDArray[np.intp],
        folder: Path,
        name: str,
        file_format: ExportFormat,
    ) -> asyncio.Future[ExportFile]:
        if len(self._making) >= _MAX_WAITING:
            raise MLServerError(f"{EXPORT_PREPARING}, after others", 503)
        loop = asyncio.get_running_loop()
        making = loop.run_in_executor(self._thread, _write, loaded, days, folder, name, file_format)
        self._making[name] = making
        making.add_done_callback(lambda done: self._made(name, done))
        return making

    def _made(self, name: str, making: asyncio.Future[ExportFile]) -> None:
        del self._making[name]
        error = None if making.cancelled() else making.exception()
        if error is not None:  # read here, since the request may have ended before
            logger.error("an export was not written: %s", error)


def _days(loaded: LoadedBook, history: str) -> NDArray[np.intp]:
    book, most = loaded.book, ServingSettings.read().export_rows
    try:
        first, last = parse_history(history) if history else (book.last_day, None)
        days = exported_days(book, first, last)
    except ValueError as error:
        raise MLServerError(str(error), 409) from None
    rows = len(days) * len(book.cards)
    if rows > most and len(days) > 1:
        allowed = max(1, most // len(book.cards))
        raise MLServerError(
            f"{len(days)} days of {len(book.cards):,} cards are {rows:,} rows, and an export has "
            f"at most {most:,}: request up to {counted(allowed, 'day')} at a time",
            422,
        )
    return days


def _name(loaded: LoadedBook, days: NDArray[np.intp], file_format: ExportFormat) -> str:
    thresholds = configured_thresholds()
    parts = [
        loaded.book.digest,
        loaded.model_version,
        loaded.data_version,
        *days[[0, -1]].tolist(),
        thresholds.buy,
        thresholds.sell,
        file_format,
        *EXPORT_SCHEMA.names,  # another release may write other columns
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_TAG_LENGTH]


def _existing(folder: Path, name: str, file_format: ExportFormat) -> ExportFile | None:
    for path in folder.glob(f"{name}.*.{file_format}"):
        with contextlib.suppress(OSError):  # another process is removing it
            os.utime(path)
            return ExportFile(path, path.name.split(".")[1])
    return None


def _write(
    loaded: LoadedBook,
    days: NDArray[np.intp],
    folder: Path,
    name: str,
    file_format: ExportFormat,
) -> ExportFile:
    private_folder(folder)
    _remove_old(folder)
    started = time.perf_counter()
    new = folder / f"{name}.{os.getpid()}.new"
    versions = ExportVersions(loaded.model_version, loaded.data_version)
    try:
        rows = write_export(loaded.book, days, new, file_format, versions, configured_thresholds())
        with new.open("rb") as file:
            tag = hashlib.file_digest(file, "sha256").hexdigest()[:_TAG_LENGTH]
        path = folder / f"{name}.{tag}.{file_format}"
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    seconds = time.perf_counter() - started
    logger.info("export of %d rows to %s written in %.1f s", rows, path.name, seconds)
    return ExportFile(path, tag)


def _remove_old(folder: Path) -> None:
    """Remove the files used least recently; a download that has one open is unaffected."""
    most = ServingSettings.read().export_mb * _MIB
    used: dict[Path, tuple[float, int]] = {}
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            used[path] = found.st_mtime, found.st_size
    size = 0
    for number, path in enumerate(sorted(used, key=used.__getitem__, reverse=True)):
        size += used[path][1]
        if number >= _ALWAYS_KEPT and size > most:
            path.unlink(missing_ok=True)


EXPORTS = ExportFiles()
