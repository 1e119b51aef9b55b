"""Construction of the gateway's components from its settings."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pokewatch.gateway.alerts import Alerts
from pokewatch.gateway.api.answer_examples import AnswerExamples
from pokewatch.gateway.api.catalog import CatalogEndpoints
from pokewatch.gateway.api.collections import CollectionEndpoint
from pokewatch.gateway.api.docs import DocsEndpoints
from pokewatch.gateway.api.exports import ExportEndpoints
from pokewatch.gateway.api.inference import InferenceEndpoints
from pokewatch.gateway.api.markets.backend import SharedParts
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.markets.discovery import MarketDiscovery
from pokewatch.gateway.api.prices import BatchEndpoint, FairPriceEndpoint, SignalEndpoint
from pokewatch.gateway.api.records import RecordDownloads
from pokewatch.gateway.api.status import StatusEndpoints
from pokewatch.gateway.api.watches import WatchEndpoints
from pokewatch.gateway.auth.authentication import Authenticator
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.auth.key_values import parse_rate
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.auth.limits import Limiter, MemoryLimiter
from pokewatch.gateway.auth.redis_limits import RedisLimiter
from pokewatch.gateway.events.event_log import EventLog
from pokewatch.gateway.http.bodies import FormBodies
from pokewatch.gateway.http.cors import CrossOrigin
from pokewatch.gateway.http.logs import AccessLog, write_at_once
from pokewatch.gateway.http.middleware import Answer, RequestContext
from pokewatch.gateway.http.streams import StreamedAnswer
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.metrics_server import MetricsServer
from pokewatch.gateway.upstream.answer_cache import AnswerCache
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.shared_headers import first_headers, linked_headers
from pokewatch.gateway.upstream.transport import Transport
from pokewatch.gateway.web.access import PageAccess
from pokewatch.gateway.web.pages import Pages
from pokewatch.gateway.web.picture_client import PictureClient
from pokewatch.gateway.web.pictures import PictureEndpoint, Pictures
from pokewatch.gateway.web.sessions import Sessions
from pokewatch.gateway.web.site import Site
from pokewatch.gateway.web.uploads import UploadBodies
from pokewatch.settings import EventSettings, GatewaySettings, Home, PriceWatchSettings
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import WatchStore

if TYPE_CHECKING:
    from pokewatch.tracing.tracer import Tracer

Handler = Callable[[RequestContext], Awaitable[Answer | StreamedAnswer]]

_MIB = 1_048_576
_FORM_BYTES = 8_192  # the longest webhook of a watch takes 6,000, percent-encoded


class Assembly:
    """All components of a gateway. `handlers` has one handler for each operation's name.

    `start` and `stop` are called by the application's lifespan. `transport` leads to the models, by
    default by HTTP to the MLServer of the settings; with a `tracer`, its requests are spans.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        store: KeyStore,
        transport: Transport | None,
        tracer: "Tracer | None",
    ) -> None:
        self.settings = settings
        self.tracer = tracer
        self.draining = False
        self.metrics = Metrics()
        self.metrics_server = MetricsServer(
            self.metrics.registry, settings.gateway_metrics_host, settings.gateway_metrics_port
        )
        self.access_log = AccessLog(write_at_once if settings.access_log else None)
        origins = settings.cors_origins
        self.cross_origin = CrossOrigin(origins) if origins else None
        self.key_cache = KeyCache(store)
        self.limiter = _limiter(settings, self.metrics)
        self.authenticator = Authenticator(
            self.key_cache, self.limiter, parse_rate(settings.failed_key_rate), self.metrics
        )
        self.answer_cache = _answer_cache(settings, self.metrics)
        self.queue_limit = QueueLimit(settings.queue_rows, self.metrics)
        headers_of = first_headers if tracer is None else linked_headers
        shared = SharedParts(
            settings, self.metrics, self.answer_cache, self.queue_limit, headers_of
        )
        self.discovery = MarketDiscovery(shared, transport, tracer)
        self.markets = self.discovery.markets
        self._tasks: list[asyncio.Task[None]] = []
        self._collections = CollectionEndpoint(self.markets)
        self._watches = _watches(self.markets)
        self.alerts = Alerts(
            self.metrics, self.markets, self.key_cache, self._watches.failed_deliveries
        )
        self.exports = ExportEndpoints(self.markets, settings)
        self._records = RecordDownloads(self.markets)
        self._events = _events(self.metrics)
        self.pictures = _pictures(settings)
        self.handlers = self._handlers()
        self.site = self._site()

    async def start(self) -> None:
        """Read the keys, then start the metrics server and the pollers of keys and markets.

        Raise KeyStoreError if the keys cannot be read.
        """
        await asyncio.to_thread(self.key_cache.refresh)
        await self.metrics_server.start()
        self._tasks = [
            asyncio.create_task(self.key_cache.poll()),
            asyncio.create_task(self.alerts.run()),
        ]
        await self.discovery.start()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.discovery.stop()
        if isinstance(self.limiter, RedisLimiter):
            await self.limiter.close()
        if self.pictures is not None:
            await self.pictures.close()
        await self.metrics_server.stop()
        self._watches.close()
        if self._events is not None:
            await self._events.close()
        self.access_log.flush()

    def _handlers(self) -> dict[str, Handler]:
        seconds, markets = self.settings.deadline_seconds, self.markets
        catalog = CatalogEndpoints(markets)
        status = StatusEndpoints(
            markets, self.key_cache, self.settings.ready_data_days, lambda: self.draining
        )
        inference = InferenceEndpoints(markets, status, self.queue_limit, seconds)
        handlers: dict[str, Handler] = {
            "fair_price": FairPriceEndpoint(markets, self._events).fair_price,
            "fair_price_batch": BatchEndpoint(
                markets, self.queue_limit, seconds, self._events
            ).fair_prices,
            "signal": SignalEndpoint(markets).signal,
            **_catalog_handlers(catalog),
            "track_record_csv": self._records.csv,
            "track_record_parquet": self._records.parquet,
            "collection_value": self._collections.value,
            "cards_resolve": self._collections.resolve,
            "watch_create": self._watches.create,
            "watches": self._watches.watches,
            "watch": self._watches.watch,
            "watch_remove": self._watches.remove,
            "export_parquet": self.exports.parquet,
            "export_csv": self.exports.csv,
            "v2_server": inference.server,
            "v2_live": inference.live,
            "v2_ready": inference.ready,
            "v2_model": inference.metadata,
            "v2_model_ready": inference.model_ready,
            "v2_infer": inference.infer,
            "health": status.health,
            "ready": status.ready,
            "markets": status.markets,
        }
        examples = AnswerExamples(handlers, markets)
        access = self.settings.page_access()
        public = examples if access == "open" else None
        docs = DocsEndpoints(catalog.first_card, public, access != "off")
        return {**handlers, "openapi": docs.openapi, "docs": docs.docs}

    def _site(self) -> Site | None:
        """Return the pages, None if they are off."""
        settings = self.settings
        mode = settings.page_access()
        if mode == "off":
            return None
        forms = FormBodies(_FORM_BYTES, settings.body_seconds)
        access = PageAccess(mode == "open", self.authenticator, Sessions(self.key_cache), forms)
        pages = Pages(self.markets, self.alerts, self._events)
        uploads = UploadBodies(settings.collection_bytes, settings.body_seconds)
        return Site(
            pages,
            self._collections,
            self._records,
            self._watches,
            forms,
            access,
            uploads,
            self.answer_cache,
            self.markets,
            PictureEndpoint(self.pictures, self.markets, access) if self.pictures else None,
        )


def _answer_cache(settings: GatewaySettings, metrics: Metrics) -> AnswerCache:
    return AnswerCache(
        settings.answer_cache,
        settings.answer_cache_mb * _MIB,
        settings.stale_seconds,
        metrics,
    )


def _watches(markets: Markets) -> WatchEndpoints:
    settings, database = PriceWatchSettings.read(), WatchDatabase.configured()
    store = WatchStore(database, settings.watches_per_key)
    return WatchEndpoints(store, Outbox(database), markets, settings.webhook_hosts)


def _events(metrics: Metrics) -> EventLog | None:
    """Return the event log, None if it is off."""
    settings = EventSettings.read()
    return EventLog(Home.read().events, settings, metrics.events) if settings.events else None


def _pictures(settings: GatewaySettings) -> Pictures | None:
    """Return the pictures of cards, None if they or the pages are off."""
    if not settings.pictures or settings.page_access() == "off":
        return None
    return Pictures(PictureClient(settings.picture_hosts), settings.pictures_mb * _MIB)


def _limiter(settings: GatewaySettings, metrics: Metrics) -> Limiter:
    memory = MemoryLimiter()
    return (
        memory
        if settings.redis_url is None
        else RedisLimiter(settings.redis_url.get_secret_value(), memory, metrics)
    )


def _catalog_handlers(catalog: CatalogEndpoints) -> dict[str, Handler]:
    return {
        "cards": catalog.cards,
        "card": catalog.card,
        "history": catalog.history,
        "movers": catalog.movers,
        "printings": catalog.printings,
        "suggestions": catalog.suggestions,
        "sets": catalog.sets,
        "set": catalog.card_set,
        "index": catalog.index,
        "changes": catalog.changes,
        "track_record": catalog.track_record,
    }
