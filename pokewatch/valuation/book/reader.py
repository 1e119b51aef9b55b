"""The reader of price books: verification, look-up and history."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.decision.distribution import WIDTH, Distribution
from pokewatch.errors import BookError
from pokewatch.valuation.book.cards import Cards
from pokewatch.valuation.book.horizons import FORECASTS, HorizonForecasts, forecast_schema
from pokewatch.valuation.book.latest import LATEST, LATEST_SCHEMA, last_quotes, latest_values
from pokewatch.valuation.book.layout import (
    BOOK_CARD_SCHEMA,
    CENTS,
    COLUMNS,
    DATE_SCHEMA,
    FILES,
    MANIFEST,
    NO_SHAPE,
    SHAPE_SCHEMA,
    SPREAD_COLUMNS,
    STATUSES,
    UNKNOWN_CARD,
    UNKNOWN_DATE,
    BookFacts,
    Manifest,
    column_schema,
    from_cents,
    from_float32,
    numbers,
    require_digest,
)
from pokewatch.valuation.book.market_index import PriceMatrix
from pokewatch.valuation.book.quotes import BookQuotes, CardHistory, CompactDistributions
from pokewatch.valuation.book.suggestions import Suggestions

_STATUS_TEXTS = np.array(STATUSES, dtype=object)
_HASHING_THREADS = 4

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]


class PriceBook:
    """A verified, memory-mapped book, safe to share between threads.

    Its files stay mapped until the last reference to it is gone.
    """

    def __init__(self, manifest: Manifest, digest: str, files: Mapping[str, pa.Buffer]) -> None:
        self.digest = digest
        self.facts: BookFacts = manifest.facts
        self.first_day, self.last_day = manifest.first_day, manifest.last_day
        self.cards = Cards(_table(files, "cards.arrow", BOOK_CARD_SCHEMA, manifest.cards))
        days = _table(files, "dates.arrow", DATE_SCHEMA, manifest.days)
        self.market_index: Floats = numbers(days["index"], np.float64)  # of all cards by day
        self.dates: Dates = numbers(days["date"], np.int32).astype("datetime64[D]")
        self._columns = {name: _matrix(files, name, manifest) for name in COLUMNS}
        self._shapes = _shapes(files)
        further = _table(files, FORECASTS, forecast_schema(manifest.cards))
        self.forecasts = HorizonForecasts.from_table(further, manifest.cards)
        latest = latest_values(_table(files, LATEST, LATEST_SCHEMA, manifest.cards))
        self._latest = _with_unknown_card(latest)
        self._latest_distributions = self._last_distributions(latest)

    @classmethod
    def open(cls, folder: Path, digest: str, *, verify: bool = True) -> Self:
        """Return the book in `folder`, with its manifest and files verified against `digest`.

        Without `verify` the manifest is, and the files are taken as they are. Raise BookError if it
        is missing, damaged, truncated, another book or of another format.
        """
        require_digest(digest)
        content = _mapped(folder / MANIFEST).to_pybytes()
        if (found := hashlib.sha256(content).hexdigest()) != digest:
            raise BookError(
                f"the book in {folder} is not the requested one: "
                f"its digest is {found}, wanted {digest}"
            )
        manifest = Manifest.parse(content)
        if not verify:
            return cls(manifest, digest, {name: _mapped(folder / name) for name in FILES})
        with ThreadPoolExecutor(_HASHING_THREADS) as threads:
            files = threads.map(lambda name: _verified(folder / name, manifest.files[name]), FILES)
            return cls(manifest, digest, dict(zip(FILES, files, strict=True)))

    def look_up(
        self, cards: Sequence[str], days: Dates | None = None, *, distributions: bool = True
    ) -> BookQuotes:
        """Return the values of each card (id or slug), each on the latest day up to that in `days`.

        NaT, or no `days`, is the last day of the book. Cards and days not in the book have the
        statuses `unknown_card` and `unknown_date`. Without `distributions` theirs are NaN.
        """
        position = self.cards.positions(cards)
        if days is None:
            return BookQuotes(
                position,
                np.where(position < 0, np.datetime64("NaT"), self.dates[-1]),
                **{name: values[position] for name, values in self._latest.items()},
                distribution=self._latest_distributions.take(position)
                if distributions
                else _no_distributions(len(position)),
            )
        day = np.searchsorted(self.dates, days, side="right") - 1
        unknown = (position < 0) | (day < 0)
        found = {name: _decoded(name, self._columns[name][position, day]) for name in _DECODERS}
        found["distribution"] = (
            self._distributions_on(position, day, found["fair"])
            if distributions
            else _no_distributions(len(position))
        )
        for name, values in found.items():
            values[unknown] = np.nan if name != "status" else UNKNOWN_DATE
        found["status"][position < 0] = UNKNOWN_CARD
        found["date"] = np.where(unknown, np.datetime64("NaT"), self.dates[day])
        return BookQuotes(position, **found)

    def latest(self, *, distributions: bool = False) -> BookQuotes:
        """Return the values of every card on the last day of the book.

        Without `distributions`, which take milliseconds for all cards, theirs are NaN.
        """
        cards = len(self.cards)
        return BookQuotes(
            np.arange(cards),
            np.broadcast_to(self.dates[-1], cards),
            **{name: values[:-1] for name, values in self._latest.items()},
            distribution=self._latest_distributions.take(slice(-1))
            if distributions
            else np.broadcast_to(np.nan, (cards, WIDTH)),
        )

    def on_day(self, day: int) -> CardHistory:
        """Return the values of every card on the day with this index."""
        return CardHistory(
            np.full(len(self.cards), self.dates[day]),
            **{name: _decoded(name, self._columns[name][:, day]) for name in _DECODERS},
        )

    def last_quoted(self, until: np.datetime64) -> int:
        """Return the index of the last day up to `until` on which a card has a price, else -1."""
        day = int(np.searchsorted(self.dates, until, side="right")) - 1
        while day >= 0 and not np.isfinite(self.market_prices.on(day)).any():
            day -= 1
        return day

    def history(self, card: str, start: date | None = None, end: date | None = None) -> CardHistory:
        """Return the days of a card from `start` to `end`, inclusive. Raise UnknownCardError."""
        position = self.cards.position(card)
        first = (
            0
            if start is None
            else int(np.searchsorted(self.dates, np.datetime64(start), side="left"))
        )
        last = (
            len(self.dates)
            if end is None
            else int(np.searchsorted(self.dates, np.datetime64(end), side="right"))
        )
        days = slice(first, last)
        return CardHistory(
            self.dates[days],
            **{name: _decoded(name, self._columns[name][position, days]) for name in _DECODERS},
        )

    @cached_property
    def market_prices(self) -> PriceMatrix:
        """The market prices of all cards and days."""
        return PriceMatrix(self._columns["market"], from_cents)

    @cached_property
    def fair_prices(self) -> PriceMatrix:
        """The fair prices of all cards and days."""
        return PriceMatrix(self._columns["fair"], from_float32)

    @cached_property
    def suggestions(self) -> Suggestions:
        """The search that tolerates typing errors."""
        return Suggestions(self.cards, self._latest["market"][:-1])

    def _distributions_on(
        self, position: NDArray[np.intp], day: NDArray[np.intp], fair: Floats
    ) -> Floats:
        stored = {name: self._columns[name][position, day] for name in SPREAD_COLUMNS}
        return self._distributions(
            fair, stored, last_quotes(self._columns["market"], position, day)
        )

    def _last_distributions(self, latest: Mapping[str, np.ndarray]) -> CompactDistributions:
        """Return the distributions of the last day, followed by the row of an unknown card."""
        fair = self._latest["fair"][:-1]
        found = self._distributions(fair, latest, latest["last_quote"])
        return CompactDistributions(np.concatenate((found, _no_distributions(1))))

    def _distributions(
        self, fair: Floats, stored: Mapping[str, np.ndarray], last_quote: NDArray[np.int32]
    ) -> Floats:
        """Return distributions by the stored SPREAD_COLUMNS. There is none without a fair price."""
        scale, unchanged, shape = (stored[name] for name in SPREAD_COLUMNS)
        known = (shape != NO_SHAPE) & (fair > 0)
        found = _no_distributions(len(fair))
        shapes, scale = self._shapes[shape[known]], scale[known].astype(np.float64)
        found[known] = Distribution(
            last_price=from_cents(last_quote[known]),
            unchanged=unchanged[known].astype(np.float64).round(4),
            floor=shapes[:, 0].round(6),
            log_quantiles=(np.log(fair[known])[:, None] + scale[:, None] * shapes[:, 1:]).round(5),
        ).to_array()
        return found


_DECODERS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    name: from_cents if name in CENTS else _STATUS_TEXTS.take if name == "status" else from_float32
    for name in COLUMNS
    if name not in SPREAD_COLUMNS
}


def _with_unknown_card(latest: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the values of the last day, decoded, followed by the row of an unknown card.

    Position -1 selects that row.
    """
    found = {name: decode(np.append(latest[name], 0)) for name, decode in _DECODERS.items()}
    for name, values in found.items():
        values[-1] = np.nan if name != "status" else UNKNOWN_CARD
    return found


def _no_distributions(rows: int) -> Floats:
    return np.full((rows, WIDTH), np.nan)


def _decoded(name: str, stored: np.ndarray) -> np.ndarray:
    return _DECODERS[name](stored)


def _mapped(path: Path) -> pa.Buffer:
    """Return the content of a file, mapped: the pages verified are those read later."""
    if path.is_symlink():
        raise BookError(f"{path} is a symbolic link, which is not allowed in a book")
    try:
        with pa.memory_map(str(path)) as file:
            return file.read_buffer()
    except (OSError, pa.ArrowInvalid) as error:
        raise BookError(f"{path} cannot be read: {error}") from None


def _verified(path: Path, digest: str) -> pa.Buffer:
    content = _mapped(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise BookError(
            f"{path} is damaged: its {content.size} bytes do not have the SHA-256 in the manifest"
        )
    return content


def _table(
    files: Mapping[str, pa.Buffer], name: str, schema: pa.Schema, rows: int | None = None
) -> pa.Table:
    """Return a table of `rows` rows, or of any number."""
    try:
        table = pa.ipc.open_file(pa.BufferReader(files[name])).read_all()
    except pa.ArrowInvalid as error:
        raise BookError(f"{name} is not an Arrow file: {error}") from None
    if not table.schema.equals(schema) or rows not in (None, table.num_rows):
        count = "" if rows is None else f"{rows} "
        raise BookError(f"{name} does not contain {count}rows of {', '.join(schema.names)}")
    return table


def _shapes(files: Mapping[str, pa.Buffer]) -> Floats:
    """Return the shapes [S, 1 + K]."""
    table = _table(files, "shapes.arrow", SHAPE_SCHEMA)
    if table.num_rows == 0:
        return np.empty((0, len(SHAPE_SCHEMA)))
    return np.column_stack([numbers(column, np.float64) for column in table.columns])


def _matrix(files: Mapping[str, pa.Buffer], name: str, manifest: Manifest) -> np.ndarray:
    """Return a column [cards, days], without a copy."""
    table = _table(files, f"{name}.arrow", column_schema(name, manifest.days), manifest.cards)
    lists = table.column(0)
    if lists.num_chunks != 1:
        raise BookError(f"{name}.arrow contains {lists.num_chunks} batches, wanted 1")
    return numbers(lists.chunk(0).values, COLUMNS[name]).reshape(manifest.cards, manifest.days)
