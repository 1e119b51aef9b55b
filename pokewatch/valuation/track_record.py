"""The track record of a market on disk: its past forecasts, with the prices that followed.

A forecast is *issued* by the price book of a champion, for the day `horizon` days after the book's
last. It is added once that day has prices, and is never changed. The forecasts of the issues of a
month are one Parquet file, named by its content, in which each issue is a row group, in the order
of days and versions; adding an issue writes the file of its month anew and leaves the rest of it as
it was. A document lists the files with their digests, all issues, those that are still open among
them, and the summary.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pokewatch.atomic_file import atomic_file
from pokewatch.errors import TrackRecordError

FORMAT = "pokewatch-track-record"
VERSION = 1
DOCUMENT = "track-record.json"
LATE = "late"
OTHER_MARKET = "other market"
FORECAST_SCHEMA = pa.schema(
    [
        pa.field("issued_on", pa.date32(), nullable=False),
        pa.field("due_on", pa.date32(), nullable=False),
        pa.field("horizon", pa.int16(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("card_id", pa.string(), nullable=False),
        pa.field("slug", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("set_name", pa.string(), nullable=False),
        pa.field("last_price", pa.float64()),
        pa.field("fair_price", pa.float64(), nullable=False),
        pa.field("lower", pa.float64()),
        pa.field("upper", pa.float64()),
        pa.field("median7", pa.float64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("liquidity", pa.string()),
        pa.field("signal", pa.string(), nullable=False),
        pa.field("confidence", pa.float64()),
        pa.field("buy_threshold_pct", pa.float64(), nullable=False),
        pa.field("sell_threshold_pct", pa.float64(), nullable=False),
        pa.field("outcome", pa.float64()),
        pa.field("renewed", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Issue:
    """The forecasts that a champion issued for one day.

    `forecasts` is their number, and `unvalued` that of the cards with a price and no fair price. An
    issue is `resolved` once its forecasts are in the files, and `excluded` for a reason, "" where
    there is none: LATE where its version became champion only after the day it was for,
    OTHER_MARKET where its prices are in another currency or those of other cards.
    """

    model_version: str
    model: str
    digest: str
    issued_on: date
    due_on: date
    horizon: int
    forecasts: int
    unvalued: int
    excluded: str = ""
    resolved: bool = False

    @property
    def open(self) -> bool:
        """Whether the outcome of the forecasts is still to come."""
        return not (self.resolved or self.excluded)


@dataclass(frozen=True, slots=True)
class MonthFile:
    """The file of the forecasts issued in a month. `run_id` is the MLflow run that has a copy."""

    month: str
    name: str
    sha256: str
    bytes: int
    rows: int
    issues: int
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A track record as of the prices of `measured_on`, None where nothing was measured yet.

    `unread` is the number of versions whose books have not been read yet.
    """

    source: str
    currency: str = ""
    measured_on: date | None = None
    unread: int = 0
    issues: tuple[Issue, ...] = ()
    files: tuple[MonthFile, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the document; equal records have equal bytes."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        text = json.dumps(content, sort_keys=True, allow_nan=False, default=date.isoformat)
        return text.encode()

    @property
    def digest(self) -> str:
        """The SHA-256 of the document in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def parse(cls, content: bytes) -> "TrackRecord":
        """Return the record of a document. Raise TrackRecordError."""
        try:
            found = json.loads(content)
            if (found["format"], found["version"]) != (FORMAT, VERSION):
                raise TrackRecordError(
                    f"track record format {found['version']!r}; this PokeWatch reads {VERSION}"
                )
            return cls(
                source=str(found["source"]),
                currency=str(found["currency"]),
                measured_on=_day(found["measured_on"]),
                unread=int(found["unread"]),
                issues=tuple(_issue(each) for each in found["issues"]),
                files=tuple(MonthFile(**each) for each in found["files"]),
                summary=dict(found["summary"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TrackRecordError(
                f"not the document of a track record: {type(error).__name__} {error}"
            ) from None


def read_record(folder: Path) -> TrackRecord | None:
    """Return the record in `folder`, None where there is none. Raise TrackRecordError."""
    try:
        return TrackRecord.parse((folder / DOCUMENT).read_bytes())
    except FileNotFoundError:
        return None


def write_record(folder: Path, record: TrackRecord) -> None:
    """Replace the document atomically, and remove files that neither it nor the last one lists.

    Those of the last one stay, for downloads that have begun.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        last = read_record(folder)
    except TrackRecordError:
        last = None
    with atomic_file(folder / DOCUMENT) as document:
        document.write(record.to_bytes())
    listed = {each.name for known in (record, last) if known for each in known.files}
    for path in folder.glob("*.parquet"):
        if path.name not in listed:
            path.unlink(missing_ok=True)


def add_issues(
    folder: Path, files: Iterable[MonthFile], tables: Iterable[pa.Table]
) -> tuple[MonthFile, ...]:
    """Write the forecasts of further issues, a table each, and return the files of all months.

    Raise TrackRecordError where a file of `files` is missing or damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    months = {each.month: each for each in files}
    added: dict[str, list[pa.Table]] = {}
    for table in filter(len, tables):  # a model without a fair price issues no forecast
        added.setdefault(f"{table['issued_on'][0].as_py():%Y-%m}", []).append(table)
    for month, new in added.items():
        months[month] = _written(folder, month, [*_groups(folder, months.get(month)), *new])
    return tuple(months[month] for month in sorted(months))


def open_month(folder: Path, file: MonthFile) -> pq.ParquetFile:
    """Return the opened file of a month, verified. Raise TrackRecordError."""
    path = folder / file.name
    verify(path, file)
    return pq.ParquetFile(path)


def verify(path: Path, file: MonthFile) -> None:
    """Raise TrackRecordError unless the file has the content that the document states."""
    try:
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise TrackRecordError(f"{path} cannot be read: {error.strerror or error}") from None
    if found != file.sha256:
        raise TrackRecordError(f"{path} is damaged: its SHA-256 is not {file.sha256}")


def _groups(folder: Path, file: MonthFile | None) -> list[pa.Table]:
    if file is None:
        return []
    with open_month(folder, file) as opened:
        return [opened.read_row_group(number) for number in range(opened.num_row_groups)]


def _written(folder: Path, month: str, tables: list[pa.Table]) -> MonthFile:
    tables = sorted(tables, key=_day_and_version)
    part = folder / f".{month}.{uuid.uuid4().hex}"
    try:
        with pq.ParquetWriter(part, FORECAST_SCHEMA, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table, row_group_size=max(table.num_rows, 1))
        with part.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        file = MonthFile(
            month=month,
            name=f"{month}-{digest[:16]}.parquet",
            sha256=digest,
            bytes=part.stat().st_size,
            rows=sum(table.num_rows for table in tables),
            issues=len(tables),
        )
        part.replace(folder / file.name)
        return file
    finally:
        part.unlink(missing_ok=True)


def _day_and_version(issue: pa.Table) -> tuple[date, int]:
    """Return the place of an issue among those of its month: a later version's comes later."""
    return issue["issued_on"][0].as_py(), int(issue["model_version"][0].as_py())


def _issue(found: Mapping[str, Any]) -> Issue:
    days = {name: date.fromisoformat(found[name]) for name in ("issued_on", "due_on")}
    return Issue(**{**found, **days})


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
