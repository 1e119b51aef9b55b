"""`fair-price`: what cards are worth, from the champion's price book."""

import asyncio
import logging
import re
from collections import Counter
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

from pokewatch.contract import (
    FAIR_PRICE,
    FAIR_PRICE_INPUTS,
    FAIR_PRICE_OUTPUTS,
    INVALID_PRICE,
    UNKNOWN_CARD,
    UNKNOWN_DATE,
    TensorSpec,
)
from pokewatch.errors import PokeWatchError
from pokewatch.serving import catalog, metrics
from pokewatch.serving.loaded_books import LOADED_BOOKS, LoadedBook, open_book, shelf_name
from pokewatch.serving.runtime import TensorRuntime, Values, by_name
from pokewatch.serving.tensors import Column
from pokewatch.settings import ServingSettings
from pokewatch.valuation.book import BookQuotes

logger = logging.getLogger("pokewatch.serving")

CATALOG_OF = FAIR_PRICE  # the model that /catalog/... and the gauges are about
_COLUMNS = {
    "market_price": "market",
    "fair_price": "fair",
    "lower": "lower",
    "upper": "upper",
    "status": "status",
}
_NO_DAY = date.min
_NAT = np.datetime64("NaT").astype(np.int64).item()
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


class FairPriceRuntime(TensorRuntime):
    """Looks cards up by id or slug, on a day or the latest. A row that cannot be valued says so in its `status`."""

    declared_inputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*FAIR_PRICE_INPUTS)
    declared_outputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*FAIR_PRICE_OUTPUTS)

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self._shelf_name = shelf_name(settings)
        self.ask_catalog = self._catalog()

    async def load(self) -> bool:
        """Resolve, verify, open and warm the champion's book, beside the one being served; then swap."""
        load = LOADED_BOOKS.begin()
        try:
            edition = await asyncio.to_thread(
                open_book, self.settings, ServingSettings.read().load_timeout
            )
        except PokeWatchError as error:
            metrics.LOADS.labels("refused").inc()
            raise MLServerError(f"{self.name} cannot be loaded: {error}", 500) from error
        if not LOADED_BOOKS.put(self._shelf_name, edition, load):
            return True  # a load that began later has been faster
        metrics.LOADS.labels("served").inc()
        if self.name == CATALOG_OF:
            await asyncio.to_thread(metrics.publish_book, edition)
        logger.info(
            "%s: serving model version %s, data version %s",
            self.name,
            edition.model_version,
            edition.data_version,
        )
        return True

    def answer(
        self, columns: Mapping[str, Column], wanted: Sequence[TensorSpec]
    ) -> tuple[Mapping[str, Values], Parameters]:
        edition = LOADED_BOOKS.edition(self._shelf_name)
        asked: list[str] = columns["card_id"]  # type: ignore[assignment]
        days = _days(columns["date"]) if "date" in columns else None
        quotes = edition.book.look_up(asked, days)
        if "market_price" in columns:
            quotes = _with_offers(quotes, np.asarray(columns["market_price"]))
        for status, count in Counter(quotes.status.tolist()).items():
            metrics.rows_of(status).inc(count)
        return {
            tensor.name: _output(tensor.name, edition, asked, quotes) for tensor in wanted
        }, edition.parameters()

    def _catalog(self) -> Callable[..., Awaitable[Response]]:
        """The catalogue's endpoint, which MLServer finds among the attributes: each model has a path of its own."""
        path = (
            "/catalog/{question}"
            if self.name == CATALOG_OF
            else f"/v2/models/{self.name}/catalog/{{question}}"
        )

        @custom_handler(rest_path=path)  # type: ignore[untyped-decorator]  # MLServer ships no types
        async def ask_catalog(question: str, payload: Annotated[Any, Body()] = None) -> Response:
            """Answered in a thread: looking through all cards takes milliseconds, which valuations need not wait for."""
            status, content = await asyncio.to_thread(
                catalog.answer, LOADED_BOOKS.edition(self._shelf_name), question, payload
            )
            return Response(content, status)

        return ask_catalog  # type: ignore[no-any-return]


def _days(dates: Column) -> NDArray[np.datetime64]:
    """ISO days; "" is NaT, the latest. What is no day is before every book: its row gets `unknown_date`."""
    known = {text: _day(text) for text in set(dates)}
    return np.array([known[text] for text in dates], dtype="datetime64[D]")


def _day(text: str) -> np.datetime64:
    if not text:
        return np.datetime64("NaT", "D")
    try:
        return np.datetime64(date.fromisoformat(text) if _ISO_DAY.match(text) else _NO_DAY, "D")
    except ValueError:
        return np.datetime64(_NO_DAY, "D")


def _with_offers(quotes: BookQuotes, offers: NDArray[np.float64]) -> BookQuotes:
    """The quotes judged at the offered prices, or at the market's where none is offered."""
    offered = ~np.isnan(offers)
    valued = (quotes.status != UNKNOWN_CARD) & (quotes.status != UNKNOWN_DATE)
    status = np.where(valued & ((offers <= 0) | (offers == np.inf)), INVALID_PRICE, quotes.status)
    return replace(quotes, market=np.where(offered, offers, quotes.market), status=status)


def _names(known: Sequence[str], asked: Sequence[str], quotes: BookQuotes) -> Values:
    """The name that each row's card is known by; as it was asked for where it is not known."""
    positions: list[int] = quotes.position.tolist()
    if min(positions) >= 0:
        return list(map(known.__getitem__, positions))
    return [known[at] if at >= 0 else card for at, card in zip(positions, asked, strict=True)]


def _dates(quotes: BookQuotes) -> Values:
    days = quotes.date.astype(np.int64).tolist()
    texts = {day: "" if day == _NAT else str(np.datetime64(day, "D")) for day in set(days)}
    return list(map(texts.__getitem__, days))


def _output(name: str, edition: LoadedBook, asked: Sequence[str], quotes: BookQuotes) -> Values:
    match name:
        case "card_id":
            return _names(edition.book.cards.ids, asked, quotes)
        case "slug":
            return _names(edition.book.cards.slugs, asked, quotes)
        case "date":
            return _dates(quotes)
    values: Values = getattr(quotes, _COLUMNS[name]).tolist()
    return values
