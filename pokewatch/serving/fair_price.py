"""The `fair-price` model: fair prices of cards, from the champion's price book."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, ClassVar

import numpy as np
from fastapi import Body
from mlserver.errors import MLServerError
from mlserver.handlers import custom_handler
from mlserver.rest.responses import Response
from mlserver.settings import ModelSettings
from mlserver.types import Parameters
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import Response as PlainResponse

from pokewatch.contract import (
    CONDITIONS,
    DISTRIBUTION,
    EXPORT_TYPES,
    FAIR_PRICE,
    FAIR_PRICE_INPUTS,
    FAIR_PRICE_OUTPUTS,
    INVALID_PRICE,
    UNKNOWN_CARD,
    UNKNOWN_DATE,
    ExportFormat,
    TensorSpec,
    catalog_path,
    market_of_model,
    parse_iso_day,
)
from pokewatch.errors import PokeWatchError, RegistryError
from pokewatch.serving import catalog, metrics
from pokewatch.serving.canaries import CANARIES
from pokewatch.serving.card_hashes import card_hashes
from pokewatch.serving.exports import EXPORTS
from pokewatch.serving.loaded_books import LOADED_BOOKS, LoadedBook, book_key, load_book
from pokewatch.serving.quick_queries import is_quick
from pokewatch.serving.ranged_file import RangedFile
from pokewatch.serving.record_views import record_piece
from pokewatch.serving.runtime import TensorRuntime, by_name
from pokewatch.serving.settings_in_use import SETTINGS_IN_USE
from pokewatch.serving.tensors import BadInputError, Column
from pokewatch.settings import ServingSettings
from pokewatch.valuation.book import BookQuotes

logger = logging.getLogger("pokewatch.serving")

CATALOG_MODEL = FAIR_PRICE  # the model behind /catalog/... and the gauges
_NUMBERS = {
    "market_price": "market",
    "fair_price": "fair",
    "lower": "lower",
    "upper": "upper",
    "distribution": "distribution",
}
_INVALID_DAY = date.min  # before every book
_NAT = np.datetime64("NaT").astype(np.int64).item()


class CanaryEnd(BaseModel):
    """Which canary ends, and why."""

    id: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=1, max_length=500)


class FairPriceRuntime(TensorRuntime):
    """Looks cards up by id or slug, on a given day or the latest one.

    A row that cannot be valued states the reason in its `status`.
    """

    declared_inputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*FAIR_PRICE_INPUTS)
    declared_outputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*FAIR_PRICE_OUTPUTS)

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self._book_key = book_key(settings)
        self._condition_factors = SETTINGS_IN_USE.read(self.name).condition_factors()
        path = catalog_path(self.name)
        self.query_catalog = self._catalog_endpoint(path)
        self.export = self._export_endpoint(path)
        self.send_record_piece = self._record_endpoint(path)
        self.send_card_hashes = self._hashes_endpoint(path)
        self.end_canary = self._canary_endpoint(path)

    async def load(self) -> bool:
        """Load the champion's book, then replace the one being served."""
        load = LOADED_BOOKS.begin_load()
        try:
            loaded = await asyncio.to_thread(
                load_book, self.settings, ServingSettings.read().load_timeout
            )
        except PokeWatchError as error:
            metrics.LOADS.labels("refused").inc()
            status = 503 if isinstance(error, RegistryError) else 500  # a later load may succeed
            raise MLServerError(f"{self.name} cannot be loaded: {error}", status) from error
        if not LOADED_BOOKS.put(self._book_key, loaded, load):
            return True  # a load that started later has already finished
        metrics.LOADS.labels("served").inc()
        if loaded.canary is not None:
            CANARIES.publish(loaded.book.facts.market, loaded.canary)
        metrics.begin_rows(loaded.book.facts.market)
        if self.name == CATALOG_MODEL or market_of_model(self.name):
            await asyncio.to_thread(metrics.BOOK.publish, self.name, loaded)
        logger.info(
            "%s: serving model version %s, data version %s",
            self.name,
            loaded.model_version,
            loaded.data_version,
        )
        return True

    def answer(
        self, columns: Mapping[str, Column], wanted: Sequence[TensorSpec]
    ) -> tuple[Mapping[str, Column], Parameters]:
        loaded = LOADED_BOOKS.get(self._book_key)
        cards: list[str] = columns["card_id"]  # type: ignore[assignment]
        days = _days(columns["date"]) if "date" in columns else None
        distributions = any(tensor.name == DISTRIBUTION for tensor in wanted)
        quotes = loaded.book.look_up(cards, days, distributions=distributions)
        if "condition" in columns:
            quotes = quotes.scaled(self._factors(columns))
        if "market_price" in columns:
            quotes = _with_offers(quotes, np.asarray(columns["market_price"]))
        metrics.count_rows(loaded.book.facts.market, quotes.status.tolist())
        outputs = {tensor.name: _output(tensor.name, loaded, cards, quotes) for tensor in wanted}
        return outputs, loaded.parameters()

    def _factors(self, columns: Mapping[str, Column]) -> NDArray[np.float64]:
        """Return the factor of each row's condition, 1 for "". Raise BadInputError."""
        conditions: list[str] = columns["condition"]  # type: ignore[assignment]
        unknown = set(conditions) - {"", *self._condition_factors}
        if unknown:
            raise BadInputError(
                f"input 'condition' must be one of {', '.join(CONDITIONS)}, "
                f"got {min(unknown)[:80]!r}"
            )
        return np.array([self._condition_factors.get(each, 1.0) for each in conditions])

    def _catalog_endpoint(self, path: str) -> Callable[..., Awaitable[Response]]:
        """Return the catalogue's endpoint, which MLServer finds among the model's attributes."""

        @custom_handler(rest_path=f"{path}/{{query}}")  # type: ignore[untyped-decorator]  # MLServer ships no types
        async def query_catalog(query: str, payload: Annotated[Any, Body()] = None) -> Response:
            loaded = LOADED_BOOKS.get(self._book_key)
            if is_quick(loaded, query, payload):
                status, content = catalog.answer(loaded, query, payload)
                return Response(content, status)
            # In a thread: searching all cards takes milliseconds, which would delay valuations.
            status, content = await asyncio.to_thread(catalog.answer, loaded, query, payload)
            return Response(content, status)

        return query_catalog  # type: ignore[no-any-return]

    def _record_endpoint(self, path: str) -> Callable[..., Awaitable[Response]]:
        """Return the endpoint of pieces of the track record's files."""

        @custom_handler(rest_path=f"{path}/track_record/piece")  # type: ignore[untyped-decorator]  # MLServer ships no types
        async def send_record_piece(payload: Annotated[Any, Body()] = None) -> Any:
            status, content = await asyncio.to_thread(
                record_piece, LOADED_BOOKS.get(self._book_key), payload
            )
            if isinstance(content, bytes):
                return PlainResponse(content, status, media_type="application/octet-stream")
            return Response(content, status)

        return send_record_piece  # type: ignore[no-any-return]

    def _export_endpoint(self, path: str) -> Callable[..., Awaitable[Response]]:
        """Return the endpoint of exports."""

        @custom_handler(rest_path=f"{path}/export.{{file_format}}", rest_method="GET")  # type: ignore[untyped-decorator]
        async def export(file_format: ExportFormat, history: str = "") -> Response:
            found = await EXPORTS.find(LOADED_BOOKS.get(self._book_key), file_format, history)
            return RangedFile(found.path, found.tag, EXPORT_TYPES[file_format])

        return export  # type: ignore[no-any-return]

    def _hashes_endpoint(self, path: str) -> Callable[..., Awaitable[Response]]:
        """Return the endpoint of the hashes of all cards, by which a gateway finds their market."""

        @custom_handler(rest_path=f"{path}/ids", rest_method="GET")  # type: ignore[untyped-decorator]
        async def send_card_hashes() -> PlainResponse:
            body = await asyncio.to_thread(card_hashes, LOADED_BOOKS.get(self._book_key))
            return PlainResponse(body, media_type="application/octet-stream")

        return send_card_hashes  # type: ignore[no-any-return]

    def _canary_endpoint(self, path: str) -> Callable[..., Awaitable[Response]]:
        """Return the endpoint by which a gateway or a deploy ends the canary of the market."""

        @custom_handler(rest_path=f"{path}/canary/end")  # type: ignore[untyped-decorator]
        async def end_canary(payload: CanaryEnd) -> Response:
            market = LOADED_BOOKS.get(self._book_key).book.facts.market
            if not CANARIES.end(market, payload.id, payload.reason):
                return Response({"error": f"no canary {payload.id!r} runs here"}, 409)
            logger.warning("%s: canary %s ended: %s", market, payload.id, payload.reason)
            return Response(CANARIES.status(market))

        return end_canary  # type: ignore[no-any-return]


def _days(dates: Column) -> NDArray[np.datetime64]:
    """Return ISO days as an array: NaT (the latest day) for "".

    An invalid day becomes one before every book, so that its row gets `unknown_date`.
    """
    days = {text: _day(text) for text in set(dates)}
    return np.array([days[text] for text in dates], dtype="datetime64[D]")


def _day(text: str) -> np.datetime64:
    if not text:
        return np.datetime64("NaT", "D")
    try:
        return np.datetime64(parse_iso_day(text), "D")
    except ValueError:
        return np.datetime64(_INVALID_DAY, "D")


def _with_offers(quotes: BookQuotes, offers: NDArray[np.float64]) -> BookQuotes:
    """Return the quotes with the offered prices in place of the market prices."""
    offered = ~np.isnan(offers)
    valued = (quotes.status != UNKNOWN_CARD) & (quotes.status != UNKNOWN_DATE)
    status = np.where(valued & ((offers <= 0) | (offers == np.inf)), INVALID_PRICE, quotes.status)
    return replace(quotes, market=np.where(offered, offers, quotes.market), status=status)


def _ids(loaded: LoadedBook, requested: Sequence[str], quotes: BookQuotes) -> list[str]:
    """Return the id of each row's card, or the requested name if the card is unknown."""
    ids, positions = loaded.book.cards.ids, quotes.position.tolist()
    if quotes.position.min() >= 0:
        return list(map(ids.__getitem__, positions))
    return [ids[at] if at >= 0 else card for at, card in zip(positions, requested, strict=True)]


def _slugs(loaded: LoadedBook, requested: Sequence[str], quotes: BookQuotes) -> list[str]:
    """Return the slug of each row's card, or the requested name if the card is unknown."""
    found, slugs = list(requested), loaded.book.cards.slugs
    known = np.flatnonzero(quotes.position >= 0)
    for row, slug in zip(known.tolist(), slugs.take(quotes.position[known]), strict=True):
        found[row] = slug
    return found


def _dates(quotes: BookQuotes) -> list[str]:
    numbers = quotes.date.astype(np.int64)
    if numbers.min() == numbers.max() != _NAT:  # mostly all are of the last day
        return [str(quotes.date[0])] * len(numbers)
    days = numbers.tolist()
    texts = {day: "" if day == _NAT else str(np.datetime64(day, "D")) for day in set(days)}
    return list(map(texts.__getitem__, days))


def _output(name: str, loaded: LoadedBook, requested: Sequence[str], quotes: BookQuotes) -> Column:
    match name:
        case "card_id":
            return _ids(loaded, requested, quotes)
        case "slug":
            return _slugs(loaded, requested, quotes)
        case "date":
            return _dates(quotes)
        case "status":
            statuses: list[str] = quotes.status.tolist()
            return statuses
    numbers: NDArray[np.float64] = getattr(quotes, _NUMBERS[name])
    return numbers
