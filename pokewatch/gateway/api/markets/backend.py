"""One market behind the gateway: the clients of its model, and what reads answers through them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pokewatch.contract import catalog_path, challenger_model, fair_price_model
from pokewatch.gateway.api.card_prices import CardPrices, OnAnswers
from pokewatch.gateway.api.catalog_reader import CatalogReader
from pokewatch.gateway.api.composition import Composition
from pokewatch.gateway.api.markets.canary import Canary
from pokewatch.gateway.api.markets.fallback import FallbackComposition, FallbackReader, OnCall
from pokewatch.gateway.api.near_cards import NearCards
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.metrics import Metrics, ServedMarket
from pokewatch.gateway.upstream.answer_cache import AnswerCache
from pokewatch.gateway.upstream.breaker import Breaker
from pokewatch.gateway.upstream.card_ids import CardIds
from pokewatch.gateway.upstream.coalescing import Call, Coalescer, QueueLimit
from pokewatch.gateway.upstream.shared_headers import HeadersOf
from pokewatch.gateway.upstream.transport import Transport
from pokewatch.gateway.upstream.v2_client import V2Client
from pokewatch.gateway.upstream.version_poller import VersionPoller
from pokewatch.settings import GatewaySettings

logger = logging.getLogger("pokewatch.gateway.markets")

# While the champion is busy, a challenger's call waits for more rows as long as some calls of the
# champion take, in seconds at most. Otherwise it makes as many calls for a tenth of the callers as
# the champion for the others, and each call costs the model server as much as 20 rows.
_PAUSE_CALLS = 6
_MAX_PAUSE = 0.05


@dataclass(frozen=True)
class SharedParts:
    """The parts of a gateway that all its markets share."""

    settings: GatewaySettings
    metrics: Metrics
    answers: AnswerCache
    load: QueueLimit
    headers_of: HeadersOf


@dataclass(frozen=True)
class Challenge:
    """A backend's role as the challenger of `champion` in a canary.

    `on_call` is called after each call, with whether it failed and the champion answered instead,
    and `on_answers` with the outcomes of cards that are not from the cache.
    """

    champion: "MarketBackend"
    canary: str
    on_call: OnCall
    on_answers: OnAnswers


class MarketBackend:
    """A market served at one address; `name` is "" for the only market of a home.

    Its breakers, queues and poller are its own, so that its failures leave other markets alone. So
    are those of its challenger, while there is a canary.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        shared: SharedParts,
        challenge: Challenge | None = None,
    ) -> None:
        self.name = name
        self.model = challenger_model(name) if challenge else fair_price_model(name)
        self.catalog = catalog_path(self.model)
        self.transport = transport
        self._shared = shared
        self.coalescers: list[Coalescer[Any, Any]] = []
        if challenge is None:
            self._serve_champion()
        else:
            self._serve_challenger(challenge)

    def _serve_champion(self) -> None:
        shared, seconds = self._shared, self._shared.settings.collection_seconds
        self.slow_collections = self.client("collection", seconds)
        self.records = self.client("track-record", seconds)
        self.fair_price = self.client("fair-price")
        self.decision = self.client("decision")
        catalog = self.client("catalog")
        self.poller = VersionPoller(catalog, self.catalog, self.decision, shared.metrics)
        self.composition = Composition(
            self.model, self.fair_price, self.decision, self.poller.observe, shared.headers_of
        )
        self.reader = CatalogReader(self.model, catalog, self.poller, shared.answers, shared.load)
        self.near = NearCards(self.reader)
        self.cards = CardIds(catalog, self.catalog)
        self.signals = self._coalescer(self.composition.signals)
        self.canary: Canary | None = Canary(self, shared)
        self.price_calls = self._coalescer(self.composition.fair_prices)
        self.prices = self._prices(self.model, self.canary.mirror)

    def _serve_challenger(self, challenge: Challenge) -> None:
        shared, champion = self._shared, challenge.champion
        seconds = shared.settings.canary_seconds
        self.fair_price = self.client("fair-price-challenger", seconds)
        self.slow_collections, self.records = champion.slow_collections, champion.records
        self.decision = champion.decision
        catalog = self.client("catalog-challenger", seconds)
        self.poller = VersionPoller(
            catalog, self.catalog, self.decision, shared.metrics, ServedMarket()
        )
        self.composition = FallbackComposition(
            self.model,
            self.fair_price,
            self.decision,
            self.poller.observe,
            shared.headers_of,
            champion.composition,
            challenge.on_call,
        )
        self.reader = FallbackReader(
            self.model,
            catalog,
            self.poller,
            shared.answers,
            shared.load,
            challenge.canary,
            champion.reader,
            challenge.on_call,
        )
        self.near = NearCards(self.reader)
        self.cards = champion.cards
        self.signals = champion.signals
        self.canary = None
        self.price_calls = self._coalescer(
            self.composition.fair_prices,
            in_flight=1,
            pause=champion.pause_of_challenger,
        )
        self.prices = self._prices(f"{self.model}/{challenge.canary}", challenge.on_answers)

    def _prices(self, key: str, on_answers: OnAnswers) -> CardPrices:
        """Return the fair prices, whose answers are cached under `key`."""
        shared = self._shared
        return CardPrices(
            key,
            self.name,
            self.composition.fair_prices,
            self.price_calls,
            self.near,
            shared.answers,
            self.poller,
            shared.load,
            shared.metrics.predictions.of(self.name),
            on_answers,
        )

    def for_request(self, context: RequestContext) -> "MarketBackend":
        """Return the variant of the market that answers a request. Raise ProblemError (422)."""
        return self if self.canary is None else self.canary.backend_for(context)

    def challenger(self, canary: str, on_call: OnCall, on_answers: OnAnswers) -> "MarketBackend":
        """Return the challenger of the market in a canary."""
        challenge = Challenge(self, canary, on_call, on_answers)
        return MarketBackend(self.name, self.transport, self._shared, challenge)

    @property
    def id(self) -> str:
        """The id of the market; "" for one without a name until it has been polled."""
        return self.name or (self.poller.served.market if self.poller.served else "")

    @property
    def currency(self) -> str:
        """The currency of the prices; "" until the market has been polled."""
        return self.poller.served.currency if self.poller.served else ""

    def merge_deadline(self) -> float:
        """Return until when an answer waits for what it can do without, in the loop's time.

        That is one of several markets, or the names of cards.
        """
        seconds = self._shared.settings.merge_seconds
        away = self.poller.problem is not None
        return asyncio.get_running_loop().time() + (seconds / 4 if away else seconds)

    def client(self, name: str, seconds: float | None = None) -> V2Client:
        """Return a client of the market's address with a breaker of its own."""
        settings = self._shared.settings
        seconds = settings.upstream_seconds if seconds is None else seconds
        breaker = Breaker(settings.breaker_failures, settings.breaker_seconds)
        return V2Client(name, self.transport, breaker, self._shared.metrics, seconds, self.name)

    def pause_of_challenger(self) -> float:
        """Return the seconds for which a call of the challenger waits for more rows."""
        calls = self.price_calls
        return min(_PAUSE_CALLS * calls.last_seconds, _MAX_PAUSE) if calls.is_busy() else 0.0

    async def run(self, several: Callable[[], bool], on_cards: Callable[[], None]) -> None:
        """Poll until cancelled. The cards are listed while there are `several` markets."""
        while True:
            await self.refresh(several, on_cards)
            await asyncio.sleep(self._shared.settings.watch_seconds)

    async def refresh(self, several: Callable[[], bool], on_cards: Callable[[], None]) -> None:
        """Poll once. Call `on_cards` if the market has other cards than before."""
        if not await self.poller.refresh():
            return
        if self.canary is not None and self.poller.served is not None:
            try:
                await self.canary.follow(self.poller.served.canary)
            except Exception:
                logger.exception("unexpected error")
        if several() and await self.cards.refresh(self.poller.versions):
            on_cards()

    async def close(self) -> None:
        """Wait for the running calls."""
        for coalescer in self.coalescers:
            await coalescer.close()
        if self.canary is not None:
            await self.canary.close()

    def _coalescer(
        self,
        call: Call[Any, Any],
        in_flight: int | None = None,
        pause: Callable[[], float] = float,
    ) -> Coalescer[Any, Any]:
        settings = self._shared.settings
        coalescer: Coalescer[Any, Any] = Coalescer(
            call,
            self._shared.load,
            self._shared.metrics,
            seconds=settings.deadline_seconds,
            market=self.name,
            in_flight=in_flight or settings.in_flight,
            pause=pause,
        )
        self.coalescers.append(coalescer)
        return coalescer
