"""The writer of price books: one block of cards at a time, so the book need not fit in memory."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.errors import BookError
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.prices import conform
from pokewatch.valuation.book.cards import search_text
from pokewatch.valuation.book.horizons import FORECASTS, HorizonForecasts, forecasts_table
from pokewatch.valuation.book.latest import LATEST, latest_table
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
    BookFacts,
    Manifest,
    column_schema,
    from_cents,
    to_cents,
)
from pokewatch.valuation.book.market_index import PriceMatrix, chained_index
from pokewatch.valuation.book.rows import BookRows, BookSpreads


def write_book(
    folder: Path,
    catalog: pa.Table,
    rows: BookRows | Iterable[BookRows],
    facts: BookFacts,
    forecasts: HorizonForecasts | None = None,
) -> str:
    """Write the book of `rows` to `folder` and return its digest; equal input has an equal digest.

    `catalog` (CARD_SCHEMA) must have every card of `rows`; it may have more. `forecasts` are of the
    cards of `rows`, in their order. The folder is created complete or not at all. Raise ValueError
    for inconsistent rows or forecasts, BookError if `folder` already exists with other content.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        book = Path(scratch) / "book"
        book.mkdir()
        blocks = [rows] if isinstance(rows, BookRows) else rows
        digest = _write(book, catalog, blocks, facts, forecasts)
        if _digest_of(folder) == digest:
            return digest
        try:
            book.rename(folder)
        except OSError as error:
            raise BookError(f"the book cannot be moved to {folder}: {error.strerror}") from None
    return digest


def _write(
    book: Path,
    catalog: pa.Table,
    blocks: Iterable[BookRows],
    facts: BookFacts,
    forecasts: HorizonForecasts | None,
) -> str:
    card_ids, dates, shapes, latest = _spool(book, blocks)
    index = _market_index(book, len(card_ids), len(dates))
    _write_table(book / LATEST, latest)
    for name in COLUMNS:
        _seal(book, name, len(card_ids), len(dates))
    _write_table(book / "cards.arrow", _cards(catalog, card_ids))
    days = {"date": pa.array(dates), "index": index}
    _write_table(book / "dates.arrow", pa.table(days, schema=DATE_SCHEMA))
    columns = dict(zip(SHAPE_SCHEMA.names, shapes.T.copy(), strict=True))
    _write_table(book / "shapes.arrow", pa.table(columns, schema=SHAPE_SCHEMA))
    further = forecasts or HorizonForecasts.none(len(card_ids))
    _write_table(book / FORECASTS, forecasts_table(further, facts.horizon, len(card_ids)))
    manifest = Manifest(
        facts=facts,
        cards=len(card_ids),
        days=len(dates),
        first_day=dates[0].item(),
        last_day=dates[-1].item(),
        files={name: _sha256(book / name) for name in FILES},
    ).to_bytes()
    (book / MANIFEST).write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()


def _spool(
    book: Path, blocks: Iterable[BookRows]
) -> tuple[list[str], NDArray[np.datetime64], NDArray[np.float64], pa.Table]:
    """Append the columns of every block to raw files.

    Return the cards, days and shapes, and the content of `latest.arrow`.
    """
    card_ids: list[str] = []
    latest: list[pa.Table] = []
    dates: NDArray[np.datetime64] | None = None
    shapes = np.empty((0, len(SHAPE_SCHEMA)))
    with ExitStack() as stack:
        spools = {name: stack.enter_context((book / f"{name}.raw").open("wb")) for name in COLUMNS}
        for block in blocks:
            dates = _checked_dates(block, dates)
            shapes = shapes if block.spreads is None else block.spreads.shapes
            latest.append(_append(block, spools))
            card_ids.extend(block.card_id)
    if dates is None or not card_ids:
        raise ValueError("a price book needs at least one card and one day")
    return card_ids, dates, shapes, pa.concat_tables(latest).combine_chunks()


def _checked_dates(block: BookRows, dates: NDArray[np.datetime64] | None) -> NDArray[np.datetime64]:
    found = block.dates.astype("datetime64[D]")
    if dates is not None and not np.array_equal(found, dates):
        raise ValueError(
            "all cards of a book must have the same days: "
            f"got {found[:1]}..{found[-1:]} after {dates[0]}..{dates[-1]}"
        )
    if len(found) == 0 or (np.diff(found) <= np.timedelta64(0)).any():
        raise ValueError("dates must be at least one day and strictly ascending")
    return found


def _append(block: BookRows, spools: Mapping[str, IO[bytes]]) -> pa.Table:
    """Append the columns of a block to their raw files; return its rows of `latest.arrow`."""
    shape = (len(block.card_id), len(block.dates))
    columns = _columns(block, shape)
    for name, values in columns.items():
        if values.shape != shape:
            raise ValueError(
                f"{name} must have the shape [cards, days] {shape}, got {values.shape}"
            )
    _check_values(block)
    stored = {
        name: np.ascontiguousarray(
            to_cents(values) if name in CENTS else values.astype(COLUMNS[name])
        )
        for name, values in columns.items()
    }
    for name, values in stored.items():
        spools[name].write(values.data)
    return latest_table(stored)


def _columns(block: BookRows, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return the columns of a block, in the order of COLUMNS."""
    spreads = block.spreads or BookSpreads(
        scale=np.full(shape, np.nan, dtype=np.float16),
        unchanged=np.full(shape, np.nan, dtype=np.float16),
        shape=np.full(shape, NO_SHAPE, dtype=np.int16),
        shapes=np.empty((0, len(SHAPE_SCHEMA))),
    )
    return {
        name: np.asarray(getattr(spreads if name in SPREAD_COLUMNS else block, name))
        for name in COLUMNS
    }


def _check_values(block: BookRows) -> None:
    """Raise ValueError for an unknown status, or an `ok` row without a valid fair price."""
    status = np.asarray(block.status)
    known = (status >= 0) & (status < len(STATUSES))
    _require(
        known, block, f"status must be an index into STATUSES, 0 to {len(STATUSES) - 1}", status
    )
    ok = status == STATUSES.index("ok")
    fair = np.asarray(block.fair)
    with np.errstate(invalid="ignore"):
        _require(
            ~ok | ((fair > 0) & np.isfinite(fair)),
            block,
            "the fair price of a row that is ok must be positive and finite",
            fair,
        )
        outside = (np.asarray(block.lower) > fair) | (np.asarray(block.upper) < fair)
    _require(~outside, block, "an interval must contain its fair price", fair)
    if block.spreads is not None:
        shape, shapes = np.asarray(block.spreads.shape), len(block.spreads.shapes)
        _require(
            (shape >= NO_SHAPE) & (shape < shapes),
            block,
            f"a shape must be {NO_SHAPE} or one of {shapes}",
            shape,
        )


def _require(good: NDArray[np.bool_], block: BookRows, rule: str, values: np.ndarray) -> None:
    if not good.all():
        card, day = divmod(int(np.argmin(good)), good.shape[1])
        raise ValueError(
            f"{rule}: card {block.card_id[card]} on {block.dates[day]} has {values[card, day]}"
        )


def _market_index(book: Path, cards: int, days: int) -> NDArray[np.float64]:
    """Return the market index of each day from the raw file of prices.

    It is mapped for this alone: the space of a file that is mapped is not free once it is removed.
    """
    raw = book / "market.raw"
    market = np.memmap(raw, dtype=COLUMNS["market"], mode="r", shape=(cards, days))
    return chained_index(PriceMatrix(market, from_cents))


def _seal(book: Path, name: str, cards: int, days: int) -> None:
    """Convert a raw file to an Arrow file of one batch, through a memory map.

    The column is one contiguous buffer, however many blocks it was written in.
    """
    raw = book / f"{name}.raw"
    with pa.memory_map(str(raw)) as mapped:
        values = pa.Array.from_buffers(
            pa.from_numpy_dtype(COLUMNS[name]), cards * days, [None, mapped.read_buffer()]
        )
        schema = column_schema(name, days)
        column = pa.FixedSizeListArray.from_arrays(values, type=schema.field(0).type)
        _write_table(
            book / f"{name}.arrow",
            pa.Table.from_batches([pa.record_batch([column], schema=schema)]),
        )
    raw.unlink()


def _cards(catalog: pa.Table, card_ids: Sequence[str]) -> pa.Table:
    """Return the catalogue rows of the book's cards, in its order, with their search text."""
    catalog = conform(catalog, CARD_SCHEMA)
    at = {card_id: row for row, card_id in enumerate(catalog["card_id"].to_pylist())}
    missing = [card_id for card_id in card_ids if card_id not in at]
    if missing:
        raise ValueError(f"the catalogue has no card {missing[0]!r} ({len(missing)} missing)")
    if len(set(card_ids)) != len(card_ids):
        raise ValueError("a card may be in a book only once")
    cards = catalog.take(
        pa.array([at[card_id] for card_id in card_ids], pa.int64())
    ).combine_chunks()
    return cards.append_column(
        BOOK_CARD_SCHEMA.field("search"), pa.array(_search_texts(cards), pa.string())
    )


def _search_texts(cards: pa.Table) -> Iterator[str]:
    columns = (
        cards[name].to_pylist()
        for name in (
            "name",
            "number",
            "set_name",
            "set_id",
            "rarity",
            "printing",
            "game",
            "set_code",
        )
    )
    for texts in zip(*columns, strict=True):
        yield search_text(" ".join(text for text in texts if text))


def _write_table(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(folder: Path) -> str | None:
    """Return the digest of the book in `folder`, None if there is none."""
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return None
