"""The lake: daily prices as Parquet, one immutable file per day, and the catalogue.

    <root>/raw/prices/YYYY-MM-DD/part.parquet
    <root>/raw/catalog/part.parquet
    <root>/raw/quarantine/YYYY-MM-DD/part.parquet
    <root>/damaged/...

Quarantine holds the rows that failed their checks, with the reason. A file is written to
<root>/.incomplete and renamed, so that a crash leaves the old file or the new one, never a part.
A file that a failing disk has damaged is moved to the same place below `damaged`, so that it can
be restored or collected again.

The folder of a day is not called `date=YYYY-MM-DD`: readers such as `pandas.read_parquet` would
make a second `date` of it, as text, and fail. Earlier lakes and versions have such folders. They
are read, and renamed when a writer next locks the lake.
"""

import contextlib
import fcntl
import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pokewatch.atomic_file import atomic_file
from pokewatch.errors import LakeError
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.prices import PRICE_SCHEMA, conform
from pokewatch.market.sources import REJECTED_SCHEMA

_DAY_FOLDER = re.compile(r"^(?P<key>date=)?(?P<day>\d{4}-\d{2}-\d{2})$")
_PART = "part.parquet"
_GAMES = b"pokewatch.games"  # metadata of a day's file: JSON
_ABANDONED_SECONDS = 24 * 3600.0


class Lake:
    """The prices of one market, read lazily. No folder is created before the first write.

    `raw` is the folder of a version that was checked out; by default it is `root / "raw"`.
    """

    def __init__(self, root: Path, raw: Path | None = None) -> None:
        self.root = root
        self.raw = raw or root / "raw"
        self.quarantine = self.raw / "quarantine"
        self._prices = self.raw / "prices"
        self._catalog = self.raw / "catalog" / _PART
        self._incomplete = root / ".incomplete"
        self.damaged = root / "damaged"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lake against other writers, of all processes; a killed one frees it."""
        path = self.root / ".lock"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = path.open("a")
        except OSError as error:
            raise _unwritable(path, error) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for folder in (self._prices, self.quarantine):
                _rename_keyed(folder)
            yield

    def days(self) -> list[date]:
        """Return the days that have prices, in order."""
        return _days_in(self._prices)

    def day(self, day: date, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the prices of one day (PRICE_SCHEMA), by default all columns.

        Raise LakeError if there are none.
        """
        path = _part(self._prices, day)
        if not path.exists():
            raise LakeError(f"no prices for {day} in {self._prices}")
        return _read(path, PRICE_SCHEMA, columns)

    def prices(
        self,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Yield a table for each day from `start` to `end`, in order, read on demand.

        Both days are included; None leaves that side open.
        """
        for day in self.days():
            if (start is None or day >= start) and (end is None or day <= end):
                yield _read(_part(self._prices, day), PRICE_SCHEMA, columns)

    def games(self, day: date) -> tuple[str, ...]:
        """Return the games that a day in the lake was collected of, () if they are not recorded."""
        path = _part(self._prices, day)
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (OSError, pa.ArrowException) as error:
            raise LakeError(f"{path} cannot be read: {error}") from error
        return tuple(json.loads(metadata.get(_GAMES, b"[]")))

    def write_day(self, day: date, prices: pa.Table, games: Sequence[str] = ()) -> bool:
        """Store `prices` as the rows of `day`; return False if the day already has the same rows.

        `observed_at` is not compared: it is the time of the first observation, and stays in a row
        that is the same. `games` are those that the rows were collected of, whether or not they
        have any; () does not record them.
        Raise LakeError for a row of another day, PriceSchemaError for a wrong column.
        """
        prices = conform(prices, PRICE_SCHEMA).sort_by("card_id")
        others = [found for found in prices["date"].unique().to_pylist() if found != day]
        if others:
            raise LakeError(f"date: there is a row of {others[0]} among the prices of {day}")
        path = _part(self._prices, day)
        same = path.exists() and _without_observed_at(self.day(day)).equals(
            _without_observed_at(prices)
        )
        if same and self.games(day) == tuple(games):
            return False
        if path.exists():
            prices = _first_observed(prices, self.day(day))
        if games:
            prices = prices.replace_schema_metadata({_GAMES: json.dumps(games)})
        _write(path, prices, self._incomplete)
        return not same

    def catalog(self) -> pa.Table:
        """Return every card (CARD_SCHEMA). Raise LakeError if there is no catalogue."""
        if not self._catalog.exists():
            raise LakeError(f"no catalogue at {self._catalog}")
        return _read(self._catalog, CARD_SCHEMA)

    def has_catalog(self) -> bool:
        return self._catalog.exists()

    def write_catalog(self, cards: pa.Table) -> bool:
        """Replace the catalogue; return False if it is the same already."""
        cards = conform(cards, CARD_SCHEMA).sort_by("card_id")
        if self._catalog.exists() and self.catalog().equals(cards):
            return False
        _write(self._catalog, cards, self._incomplete)
        return True

    def quarantined(self, day: date) -> pa.Table:
        """Return the rejected rows of a day (REJECTED_SCHEMA), empty if there are none."""
        path = _part(self.quarantine, day)
        return _read(path, REJECTED_SCHEMA) if path.exists() else REJECTED_SCHEMA.empty_table()

    def write_quarantined(self, day: date, rejected: pa.Table) -> None:
        """Replace the rejected rows of a day; an empty table removes them.

        Then a damaged file of them that was set aside is not lost any more, and removed as well.
        """
        path = _part(self.quarantine, day)
        if rejected.num_rows:
            _write(path, conform(rejected, REJECTED_SCHEMA), self._incomplete)
            return
        for old in (path, self.damaged / path.relative_to(self.raw)):
            if old.exists():
                old.unlink()
                old.parent.rmdir()

    def unreadable(self) -> list[Path]:
        """Return the files that are not complete Parquet. Raise LakeError if one cannot be opened.

        Only their ends are read.
        """
        return [path for path in sorted(self.raw.rglob(_PART)) if not _is_complete(path)]

    def set_aside_unreadable(self) -> None:
        """Move the unreadable files to `damaged`. The caller holds the lock."""
        for path in self.unreadable():
            aside = self.damaged / path.relative_to(self.raw)
            try:
                aside.parent.mkdir(parents=True, exist_ok=True)
                path.replace(aside)
            except OSError as error:
                raise _unwritable(aside, error) from error
            with contextlib.suppress(OSError):  # it holds something else
                path.parent.rmdir()

    def lost(self) -> list[Path]:
        """Return the paths, relative to `raw`, of the files set aside that nothing has replaced."""
        aside = [path.relative_to(self.damaged) for path in self.damaged.rglob(_PART)]
        return sorted(path for path in aside if not (self.raw / path).exists())


def _is_complete(path: Path) -> bool:
    try:
        pq.read_schema(path)
    except FileNotFoundError:  # it has just been removed
        return True
    except (OSError, pa.ArrowException) as error:
        # A file that cannot be opened, for permissions or so, has a number of an error.
        if isinstance(error, OSError) and error.errno:
            raise LakeError(f"{path} cannot be read: {error}") from error
        return False
    return True


def _part(folder: Path, day: date) -> Path:
    keyed = folder / f"date={day.isoformat()}" / _PART
    return keyed if keyed.exists() else folder / day.isoformat() / _PART


def _rename_keyed(folder: Path) -> None:
    """Rename the folders `date=YYYY-MM-DD` to the day alone."""
    for entry in sorted(folder.glob("date=*")):
        match = _DAY_FOLDER.match(entry.name)
        if match and not (folder / match["day"]).exists():
            entry.rename(folder / match["day"])


def _days_in(folder: Path) -> list[date]:
    if not folder.is_dir():
        return []
    named = (
        (match, entry) for entry in folder.iterdir() if (match := _DAY_FOLDER.match(entry.name))
    )
    return sorted(
        {date.fromisoformat(match["day"]) for match, entry in named if (entry / _PART).exists()}
    )


def _without_observed_at(prices: pa.Table) -> pa.Table:
    return prices.drop_columns(["observed_at"])


def _first_observed(prices: pa.Table, before: pa.Table) -> pa.Table:
    """Return `prices` with the `observed_at` of `before` in the rows that are the same."""
    earlier = before.take(
        pc.index_in(prices["card_id"], value_set=before["card_id"].combine_chunks())
    )
    same = pc.is_valid(earlier["card_id"])
    for name in PRICE_SCHEMA.names:
        if name != "observed_at":
            equal = pc.fill_null(pc.equal(prices[name], earlier[name]), False)
            both_null = pc.and_(pc.is_null(prices[name]), pc.is_null(earlier[name]))
            same = pc.and_(same, pc.or_(equal, both_null))
    at = PRICE_SCHEMA.get_field_index("observed_at")
    times = pc.if_else(same, earlier["observed_at"], prices["observed_at"])
    return prices.set_column(at, PRICE_SCHEMA.field(at), times)


def _read(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    try:
        with pq.ParquetFile(path) as file:
            return conform(file.read(wanted.names), wanted)
    except (OSError, pa.ArrowException) as error:
        raise LakeError(f"{path} cannot be read: {error}") from error


def _write(path: Path, table: pa.Table, incomplete: Path) -> None:
    """Write to a file in `incomplete`, flush it to disk and rename it to `path`."""
    try:
        _write_and_rename(path, table, incomplete)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> LakeError:
    return LakeError(
        f"{path} cannot be written: {error.strerror or error}. Nothing was stored in it; "
        "free space or correct the permissions of the folder, then run the command again"
    )


def _write_and_rename(path: Path, table: pa.Table, incomplete: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    incomplete.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(incomplete)
    with atomic_file(path, incomplete, mode=0o600) as file:
        pq.write_table(table, file, compression="zstd")


def _remove_abandoned(incomplete: Path) -> None:
    """Remove files of killed writers: those of the last 24 hours may still be in use."""
    for leftover in incomplete.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > _ABANDONED_SECONDS:
                leftover.unlink()
