"""The format of a price book: a folder of Arrow IPC files and a manifest with their digests.

`manifest.json`   format, facts and files; its SHA-256 is the digest of the book
`cards.arrow`     the catalogue (BOOK_CARD_SCHEMA) of the book's cards, with their text for `search`
`dates.arrow`     the days, ascending, and the market index of each: see `chained_index`
`<column>.arrow`  one row per card, one value per day (FixedSizeList): `market` and `low` are cents
                  as int32, -1 for none; `fair`, `lower` and `upper` are float32, NaN for none;
                  `status` is an int8 index into STATUSES; `scale` and `unchanged` are float16 and
                  `shape` is an int16 row of `shapes.arrow`, -1 for none: see `BookSpreads`
`shapes.arrow`    the shapes of predictive distributions (SHAPE_SCHEMA)
`latest.arrow`    the last day of the columns, one row per card: see `latest`
`forecasts.arrow` the forecasts of the last day at further horizons: see `horizons`

A fair price is an estimate, accurate to a few per cent; float32 stores it to one part in ten
million and halves the size of the book. The manifest has no model version, since the registry
assigns it after the digest is known.
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
from pokewatch.decision.distribution import LEVELS
from pokewatch.errors import BookError
from pokewatch.market.catalog import CARD_SCHEMA, slugify

FORMAT = "pokewatch-price-book"
VERSION = 4
MANIFEST = "manifest.json"

STATUSES = contract.STATUSES
UNKNOWN_CARD = contract.UNKNOWN_CARD
UNKNOWN_DATE = contract.UNKNOWN_DATE  # never stored: the status of a day before the book's first

COLUMNS: Mapping[str, np.dtype] = MappingProxyType(
    {
        "market": np.dtype(np.int32),
        "low": np.dtype(np.int32),
        "fair": np.dtype(np.float32),
        "lower": np.dtype(np.float32),
        "upper": np.dtype(np.float32),
        "status": np.dtype(np.int8),
        "scale": np.dtype(np.float16),
        "unchanged": np.dtype(np.float16),
        "shape": np.dtype(np.int16),
    }
)
SPREAD_COLUMNS = ("scale", "unchanged", "shape")
NO_SHAPE = -1
CENTS = ("market", "low")
NO_PRICE = -1
BOOK_CARD_SCHEMA = pa.schema(
    [
        *CARD_SCHEMA,
        pa.field("search", pa.string(), nullable=False),
    ]
)
DATE_SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32(), nullable=False),
        pa.field("index", pa.float64(), nullable=False),
    ]
)
SHAPE_SCHEMA = pa.schema(
    [
        pa.field(name, pa.float64(), nullable=False)
        for name in ("floor", *(f"quantile_{level:g}" for level in LEVELS))
    ]
)
FILES = (
    "cards.arrow",
    "dates.arrow",
    "shapes.arrow",
    "latest.arrow",
    "forecasts.arrow",
    *(f"{name}.arrow" for name in COLUMNS),
)

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Return whether `text` is a SHA-256 digest in hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def require_digest(text: str) -> None:
    """Raise BookError unless `is_digest`."""
    if not is_digest(text):
        raise BookError(f"a digest of a book is 64 hexadecimal digits, got {text[:80]!r}")


def column_schema(name: str, days: int) -> pa.Schema:
    """Return the schema of a column's file."""
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
    """The origin of a book.

    `market` is the id of its market, `horizon` is in days, `run_id` identifies the run that wrote
    the book, and `metrics` are the scores of its model. `not_evaluated` is the remark on a model
    that could not be evaluated, "" on another one. `missing_horizons` says by horizon, in days, why
    the book has no forecast at it.
    """

    data_version: str
    created_at: datetime
    model: str
    horizon: int
    currency: str
    source: str
    market: str = ""
    git_commit: str = ""
    run_id: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    not_evaluated: str = ""
    missing_horizons: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a book. `files` maps the name of each file to its SHA-256 in hexadecimal."""

    facts: BookFacts
    cards: int
    days: int
    first_day: date
    last_day: date
    files: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Return the manifest as written; equal manifests have equal bytes."""
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
        """Return the manifest in `content`.

        Raise BookError if it is not one of a book, of another format version, or lists other files.
        """
        found = _as_mapping(content)
        if found.get("format") != FORMAT:
            raise BookError(
                f"not a price book: the format in its manifest is {found.get('format')!r}, "
                f"wanted {FORMAT!r}"
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
                f"not the manifest of a price book: {type(error).__name__} {error}"
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
            market=str(found.get("market") or slugify(found["source"], "-")),
            git_commit=str(found["git_commit"]),
            run_id=str(found["run_id"]),
            metrics={str(name): float(value) for name, value in found["metrics"].items()},
            not_evaluated=str(found.get("not_evaluated", "")),
            missing_horizons={
                int(horizon): str(reason) for horizon, reason in found["missing_horizons"].items()
            },
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
    """Raise BookError unless `files` are exactly those of the format, with a digest each.

    No manifest can therefore point outside the folder of its book.
    """
    if not isinstance(files, dict):
        raise BookError("the manifest lists no files")
    for name in files:
        if name not in FILES:
            raise BookError(f"the manifest lists {name!r}, which is not a file of a price book")
    for name in FILES:
        if not is_digest(str(files.get(name))):
            raise BookError(f"the manifest has no SHA-256 for {name}")


def numbers(column: pa.Array | pa.ChunkedArray, dtype: Any) -> np.ndarray:
    """Return an Arrow column of numbers without nulls as an array, without a copy.

    `to_numpy` of pyarrow would import pandas.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return np.frombuffer(array.buffers()[1], dtype=dtype)[array.offset : array.offset + len(array)]


def to_cents(prices: np.ndarray) -> np.ndarray:
    """Return prices (float64) as cents (int32), NaN as NO_PRICE.

    A price below half a cent is none either: nothing is judged at a price of 0. Raise ValueError
    for a price that is negative, infinite or above 21,474,836.47.
    """
    missing = np.isnan(prices)
    cents = np.rint(np.where(missing, 0.0, prices) * 100.0)
    bad = (cents < 0) | (cents > np.iinfo(np.int32).max)
    if bad.any():
        raise ValueError(
            f"a price in a book must be within 0 and 21,474,836.47, got {prices[bad].flat[0]}"
        )
    return np.where(missing | (cents == 0), NO_PRICE, cents).astype(np.int32)


def from_cents(cents: np.ndarray) -> np.ndarray:
    """Return cents (int32) as prices (float64), NO_PRICE as NaN: 1234 is exactly 12.34."""
    return np.where(cents < 0, np.nan, cents / 100.0)


def from_float32(prices: np.ndarray) -> np.ndarray:
    """Return float32 prices as float64, rounded to six significant digits.

    float32 has about seven; without rounding, 16.3 would become 16.299999.
    """
    wide = prices.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.power(10.0, np.maximum(5.0 - np.floor(np.log10(wide)), 0.0))
        return np.where(wide > 0, np.round(wide * scale) / scale, wide)
