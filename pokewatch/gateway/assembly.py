"""Construction of the gateway's components from its settings."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pokewatch.gateway.api.answer_examples import AnswerExamples
from pokewatch.gateway.api.catalog import CatalogEndpoints
from pokewatch.gateway.api.catalog_reader import CatalogReader
from pokewatch.gateway.api.collections import CollectionEndpoint
from pokewatch.gateway.api.composition import Composition
from pokewatch.gateway.api.docs import DocsEndpoints
from pokewatch.gateway.api.exports import ExportEndpoints
from pokewatch.gateway.api.inference import InferenceEndpoints
from pokewatch.gateway.api.near_cards import NearCards
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
from pokewatch.gateway.http.bodies import FormBodies
from pokewatch.gateway.http.cors import CrossOrigin
from pokewatch.gateway.http.logs import AccessLog
from pokewatch.gateway.http.middleware import Answer, RequestContext
from pokewatch.gateway.http.streams import StreamedAnswer
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.metrics_server import MetricsServer
from pokewatch.gateway.upstream.answer_cache import AnswerCache
from pokewatch.gateway.upstream.breaker import Breaker
from pokewatch.gateway.upstream.coalescing import Call, Coalescer, QueueLimit
from pokewatch.gateway.upstream.http_stream import StreamingHttpClient
from pokewatch.gateway.upstream.transport import Transport
from pokewatch.gateway.upstream.v2_client import V2Client
from pokewatch.gateway.upstream.version_poller import VersionPoller
from pokewatch.gateway.web.access import PageAccess
from pokewatch.gateway.web.pages import Pages
from pokewatch.gateway.web.picture_client import PictureClient
from pokewatch.gateway.web.pictures import PictureEndpoint, Pictures
from pokewatch.gateway.web.sessions import Sessions
from pokewatch.gateway.web.site import Site
from pokewatch.gateway.web.uploads import UploadBodies
from pokewatch.settings import GatewaySettings, PriceWatchSettings
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import WatchStore

Handler = Callable[[RequestContext], Awaitable[Answer | StreamedAnswer]]

_MIB = 1_048_576
_FORM_BYTES = 4_096


class Assembly:
    """All components of a gateway. `handlers` has one handler for each operation's name.

    `start` and `stop` are called by the application's lifespan. `transport` leads to the models, by
    default by HTTP to the MLServer of the settings.
    """

    def __init__(
        self, settings: GatewaySettings, store: KeyStore, transport: Transport | None = None
    ) -> None:
        self.settings = settings
        self.draining = False
        self.metrics = Metrics()
        self.metrics_server = MetricsServer(
            self.metrics.registry, settings.gateway_metrics_host, settings.gateway_metrics_port
        )
        self.access_log = AccessLog(sys.stdout.write if settings.access_log else None)
        origins = settings.cors_origins
        self.cross_origin = CrossOrigin(origins) if origins else None
        self.key_cache = KeyCache(store)
        self.limiter = _limiter(settings, self.metrics)
        self.authenticator = Authenticator(
            self.key_cache, self.limiter, parse_rate(settings.failed_key_rate), self.metrics
        )
        self.answer_cache = _answer_cache(settings, self.metrics)
        self.queue_limit = QueueLimit(settings.queue_rows, self.metrics)
        self.transport = transport or _http_transport(settings)
        self.upstreams = {
            name: self._upstream(name) for name in ("fair-price", "decision", "catalog")
        }
        self.version_poller = VersionPoller(
            self.upstreams["catalog"],
            self.upstreams["decision"],
            self.metrics,
            settings.watch_seconds,
        )
        self.composition = Composition(
            self.upstreams["fair-price"], self.upstreams["decision"], self.version_poller.observe
        )
        self.catalog_reader = CatalogReader(
            self.upstreams["catalog"], self.version_poller, self.answer_cache, self.queue_limit
        )
        self._coalescers: list[Coalescer[Any, Any]] = []
        self._tasks: list[asyncio.Task[None]] = []
        slow = settings.collection_seconds
        self._collections = CollectionEndpoint(
            self._upstream("collection", slow), self.version_poller
        )
        self._watches = _watches(self.catalog_reader)
        self.exports = ExportEndpoints(self.transport, settings)
        self._records = RecordDownloads(self.catalog_reader, self._upstream("track-record", slow))
        self._near = NearCards(self.catalog_reader)
        self._fair_prices = self._fair_price_endpoint()
        self.pictures = _pictures(settings)
        self.handlers = self._handlers()
        self.site = self._site()

    async def start(self) -> None:
        """Read the keys, then start the metrics server and the pollers of keys and versions.

        Raise KeyStoreError if the keys cannot be read.
        """
        await asyncio.to_thread(self.key_cache.refresh)
        await self.metrics_server.start()
        self._tasks = [
            asyncio.create_task(self.key_cache.poll()),
            asyncio.create_task(self.version_poller.run()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for coalescer in self._coalescers:
            await coalescer.close()
        if isinstance(self.limiter, RedisLimiter):
            await self.limiter.close()
        if self.pictures is not None:
            await self.pictures.close()
        await self.metrics_server.stop()
        self._watches.close()
        self.transport.close()
        self.access_log.flush()

    def _upstream(self, name: str, seconds: float | None = None) -> V2Client:
        settings = self.settings
        seconds = settings.upstream_seconds if seconds is None else seconds
        breaker = Breaker(settings.breaker_failures, settings.breaker_seconds)
        return V2Client(name, self.transport, breaker, self.metrics, seconds)

    def _coalescer(self, call: Call[Any, Any]) -> Coalescer[Any, Any]:
        settings = self.settings
        coalescer: Coalescer[Any, Any] = Coalescer(
            call,
            self.queue_limit,
            self.metrics,
            seconds=settings.deadline_seconds,
            in_flight=settings.in_flight,
        )
        self._coalescers.append(coalescer)
        return coalescer

    def _fair_price_endpoint(self) -> FairPriceEndpoint:
        return FairPriceEndpoint(
            self._coalescer(self.composition.fair_prices),
            self._near,
            self.answer_cache,
            self.version_poller,
            self.metrics,
        )

    def _handlers(self) -> dict[str, Handler]:
        seconds = self.settings.deadline_seconds
        composition, metrics, poller = self.composition, self.metrics, self.version_poller
        batches = BatchEndpoint(composition, self._near, self.queue_limit, seconds, metrics)
        catalog = CatalogEndpoints(self.catalog_reader)
        status = StatusEndpoints(
            poller, self.key_cache, self.settings.ready_data_days, lambda: self.draining
        )
        inference = InferenceEndpoints(
            composition, self.upstreams, status, self.queue_limit, seconds, metrics
        )
        handlers: dict[str, Handler] = {
            "fair_price": self._fair_prices.fair_price,
            "fair_price_batch": batches.fair_prices,
            "signal": SignalEndpoint(self._coalescer(composition.signals)).signal,
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
        }
        examples = AnswerExamples(handlers, poller)
        public = self.settings.page_access() == "open"
        docs = DocsEndpoints(catalog.first_card, examples if public else None)
        return {**handlers, "openapi": docs.openapi, "docs": docs.docs}

    def _site(self) -> Site | None:
        """Return the pages, None if they are off."""
        settings = self.settings
        mode = settings.page_access()
        if mode == "off":
            return None
        forms = FormBodies(_FORM_BYTES, settings.body_seconds)
        access = PageAccess(mode == "open", self.authenticator, Sessions(self.key_cache), forms)
        pages = Pages(self.catalog_reader, self._fair_prices, self.version_poller)
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
            self.version_poller,
            PictureEndpoint(self.pictures, self.catalog_reader, access) if self.pictures else None,
        )


def _http_transport(settings: GatewaySettings) -> Transport:
    return StreamingHttpClient(settings.mlserver_url, settings.connect_seconds)


def _answer_cache(settings: GatewaySettings, metrics: Metrics) -> AnswerCache:
    return AnswerCache(
        settings.answer_cache,
        settings.answer_cache_mb * _MIB,
        settings.stale_seconds,
        metrics,
    )


def _watches(reader: CatalogReader) -> WatchEndpoints:
    settings, database = PriceWatchSettings.read(), WatchDatabase.configured()
    store = WatchStore(database, settings.watches_per_key)
    return WatchEndpoints(store, Outbox(database), reader, settings.webhook_hosts)


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
