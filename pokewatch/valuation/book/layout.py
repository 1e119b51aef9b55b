"""The book on disk: a folder of Arrow IPC files and a manifest that names the SHA-256 of each.

`manifest.json`   format, facts and files; its SHA-256 is the book's digest
`cards.arrow`     the catalogue (CARD_SCHEMA) of the book's cards, and `search`, the text that searches look in
`dates.arrow`     the days, ascending
`<column>.arrow`  one row a card, one value a day (FixedSizeList): `market` and `low` in cents as int32, -1 where there is
                  none; `fair`, `lower`, `upper` as float32, NaN where there is none; `status` as int8, an index in STATUSES

A fair price is an estimate, good to a few per cent; float32 holds it to one part in ten million and halves the book.
The manifest has no model version: the registry gives one only after the digest is known. Whoever opens the book supplies it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from pokewatch import contract
from pokewatch.errors import BookError
from pokewatch.market.catalog import CARD_SCHEMA

FORMAT = "pokewatch-price-book"
VERSION = 1
MANIFEST = "manifest.json"

STATUSES = contract.STATUSES
UNKNOWN_CARD = contract.UNKNOWN_CARD
UNKNOWN_DATE = contract.UNKNOWN_DATE  # never stored: the answer for a day before the book's first

COLUMNS: Mapping[str, np.dtype] = MappingProxyType(
    {
        "market": np.dtype(np.int32),
        "low": np.dtype(np.int32),
        "fair": np.dtype(np.float32),
        "lower": np.dtype(np.float32),
        "upper": np.dtype(np.float32),
        "status": np.dtype(np.int8),
    }
)
CENTS = ("market", "low")
NO_PRICE = -1
BOOK_CARD_SCHEMA = CARD_SCHEMA.append(pa.field("search", pa.string(), nullable=False))
DATE_SCHEMA = pa.schema([pa.field("date", pa.date32(), nullable=False)])
FILES = ("cards.arrow", "dates.arrow", *(f"{name}.arrow" for name in COLUMNS))

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Return whether `text` is a SHA-256 in hexadecimal, as books and their files are named by."""
    return _DIGEST.fullmatch(text) is not None


def column_schema(name: str, days: int) -> pa.Schema:
    """The schema of a column's file."""
    return pa.schema(
        [
            pa.field(
                name,
                pa.list_(
                    pa.field("item", pa.from_numpy_dtype(COLUMNS[name]), nullable=False), days
                ),
                nullable=False,
            )
        ]
    )


@dataclass(frozen=True, slots=True)
class BookFacts:
    """Where a book comes from. `horizon` in days; `run_id` is the run that made it; `metrics` its evaluation figures."""

    data_version: str
    created_at: datetime
    model: str
    horizon: int
    currency: str
    source: str
    git_commit: str = ""
    run_id: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """`files` maps each file's name to its SHA-256 in hexadecimal."""

    facts: BookFacts
    cards: int
    days: int
    first_day: date
    last_day: date
    files: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """The manifest as written: the same manifest is always the same bytes."""
        content = asdict(self.facts) | {
            "format": FORMAT,
            "version": VERSION,
            "created_at": self.facts.created_at.isoformat(),
            "cards": self.cards,
            "days": self.days,
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "files": dict(self.files),
        }
        return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """The manifest in `content`. Raises BookError for what is not a book, is newer than this code, or names wrong files."""
        found = _as_mapping(content)
        if found.get("format") != FORMAT:
            raise BookError(
                f"not a price book: its manifest says format {found.get('format')!r}, wanted {FORMAT!r}"
            )
        if found.get("version") != VERSION:
            raise BookError(
                f"price book format {found.get('version')!r}; this PokeWatch reads format {VERSION}"
            )
        _check_files(found.get("files"))
        try:
            return cls._from(found)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BookError(
                f"the manifest is not one of a price book: {type(error).__name__} {error}"
            ) from None

    @classmethod
    def _from(cls, found: dict[str, Any]) -> "Manifest":
        facts = BookFacts(
            data_version=str(found["data_version"]),
            created_at=datetime.fromisoformat(found["created_at"]),
            model=str(found["model"]),
            horizon=int(found["horizon"]),
            currency=str(found["currency"]),
            source=str(found["source"]),
            git_commit=str(found["git_commit"]),
            run_id=str(found["run_id"]),
            metrics={str(name): float(value) for name, value in found["metrics"].items()},
        )
        first, last = date.fromisoformat(found["first_day"]), date.fromisoformat(found["last_day"])
        return cls(facts, int(found["cards"]), int(found["days"]), first, last, found["files"])


def _as_mapping(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise BookError(f"the manifest is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BookError("not a price book: its manifest is not a JSON object")
    return found


def _check_files(files: object) -> None:
    """Exactly the files of this format under their own names, so that no manifest can point anywhere else."""
    if not isinstance(files, dict):
        raise BookError("the manifest names no files")
    for name in files:
        if name not in FILES:
            raise BookError(f"the manifest names {name!r}, which is no file of a price book")
    for name in FILES:
        if not is_digest(str(files.get(name))):
            raise BookError(f"the manifest names no SHA-256 for {name}")


def numbers(column: pa.Array | pa.ChunkedArray, dtype: Any) -> np.ndarray:
    """An Arrow column of numbers without nulls as an array, without a copy: pyarrow's own `to_numpy` imports pandas."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return np.frombuffer(array.buffers()[1], dtype=dtype)[array.offset : array.offset + len(array)]


def to_cents(prices: np.ndarray) -> np.ndarray:
    """Prices (float64) as cents (int32), NaN as NO_PRICE. Raises ValueError for what is negative, infinite or above 21 million."""
    missing = np.isnan(prices)
    cents = np.rint(np.where(missing, 0.0, prices) * 100.0)
    bad = (cents < 0) | (cents > np.iinfo(np.int32).max)
    if bad.any():
        raise ValueError(
            f"a price in a book must be within 0 and 21,474,836.47, got {prices[bad].flat[0]}"
        )
    return np.where(missing, NO_PRICE, cents).astype(np.int32)


def from_cents(cents: np.ndarray) -> np.ndarray:
    """Cents (int32) as prices (float64), NO_PRICE as NaN: 1234 is exactly 12.34."""
    return np.where(cents < 0, np.nan, cents / 100.0)


def from_float32(prices: np.ndarray) -> np.ndarray:
    """Estimated prices as float64, to six significant digits: float32 holds seven, and 16.3 in it is 16.299999."""
    wide = prices.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.power(10.0, np.maximum(5.0 - np.floor(np.log10(wide)), 0.0))
        return np.where(wide > 0, np.round(wide * scale) / scale, wide)
