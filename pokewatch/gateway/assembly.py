"""The parts of a gateway, put together from its settings."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pokewatch.gateway.api.catalog import CatalogEndpoints
from pokewatch.gateway.api.composition import Composition
from pokewatch.gateway.api.docs import DocsEndpoints
from pokewatch.gateway.api.inference import InferenceEndpoints
from pokewatch.gateway.api.prices import BatchEndpoint, FairPriceEndpoint, SignalEndpoint
from pokewatch.gateway.api.status import StatusEndpoints
from pokewatch.gateway.auth.authentication import Authenticator
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.auth.key_values import parse_rate
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.auth.limits import Limiter, MemoryLimiter
from pokewatch.gateway.auth.redis_limits import RedisLimiter
from pokewatch.gateway.http.logs import AccessLog
from pokewatch.gateway.http.middleware import Answer, RequestContext
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.metrics_server import MetricsPort
from pokewatch.gateway.upstream.answer_cache import AnswerCache
from pokewatch.gateway.upstream.breaker import Breaker
from pokewatch.gateway.upstream.coalescing import Call, Coalescer, QueueLimit
from pokewatch.gateway.upstream.http_client import UpstreamHttpClient
from pokewatch.gateway.upstream.v2_client import V2Client
from pokewatch.gateway.upstream.version_poller import VersionPoller
from pokewatch.settings import GatewaySettings

Handler = Callable[[RequestContext], Awaitable[Answer]]

_MIB = 1_048_576


class Assembly:
    """`start` and `stop` belong to the application's lifespan. `handlers` has one for each operation's name."""

    def __init__(self, settings: GatewaySettings, store: KeyStore) -> None:
        self.settings = settings
        self.draining = False
        self.metrics = Metrics()
        self.metrics_port = MetricsPort(
            self.metrics.registry, settings.gateway_metrics_host, settings.gateway_metrics_port
        )
        self.access = AccessLog(sys.stdout.write if settings.access_log else None)
        self.keyring = KeyCache(store)
        self.limiter = _limiter(settings, self.metrics)
        self.doorman = Authenticator(
            self.keyring, self.limiter, parse_rate(settings.failed_key_rate), self.metrics
        )
        self.answers = AnswerCache(
            settings.answer_cache,
            settings.answer_cache_mb * _MIB,
            settings.stale_seconds,
            self.metrics,
        )
        self.load = QueueLimit(settings.queue_rows, self.metrics)
        self.wire = UpstreamHttpClient(settings.mlserver_url, settings.connect_seconds)
        self.upstreams = {
            name: self._upstream(name) for name in ("fair-price", "decision", "catalog")
        }
        self.watch = VersionPoller(
            self.upstreams["catalog"],
            self.upstreams["decision"],
            self.metrics,
            settings.watch_seconds,
        )
        self.composition = Composition(
            self.upstreams["fair-price"], self.upstreams["decision"], self.watch.observe
        )
        self._coalescers: list[Coalescer[Any, Any]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.handlers = self._handlers()

    async def start(self) -> None:
        """Reads the keys (KeyStoreError where it cannot) and starts to watch keys and versions, and to tell metrics."""
        await asyncio.to_thread(self.keyring.refresh)
        await self.metrics_port.start()
        self._tasks = [
            asyncio.create_task(self.keyring.watch()),
            asyncio.create_task(self.watch.run()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for coalescer in self._coalescers:
            await coalescer.close()
        if isinstance(self.limiter, RedisLimiter):
            await self.limiter.close()
        await self.metrics_port.stop()
        self.wire.close()
        self.access.flush()

    def _upstream(self, name: str) -> V2Client:
        settings = self.settings
        breaker = Breaker(settings.breaker_failures, settings.breaker_seconds)
        return V2Client(name, self.wire, breaker, self.metrics, settings.upstream_seconds)

    def _coalescer(self, call: Call[Any, Any]) -> Coalescer[Any, Any]:
        settings = self.settings
        made: Coalescer[Any, Any] = Coalescer(
            call,
            self.load,
            self.metrics,
            seconds=settings.deadline_seconds,
            in_flight=settings.in_flight,
        )
        self._coalescers.append(made)
        return made

    def _handlers(self) -> dict[str, Handler]:
        seconds = self.settings.deadline_seconds
        composition, metrics, watch = self.composition, self.metrics, self.watch
        batches = BatchEndpoint(composition, self.load, seconds, metrics)
        catalog = CatalogEndpoints(self.upstreams["catalog"], watch, self.answers, self.load)
        status = StatusEndpoints(
            watch, self.keyring, self.settings.ready_data_days, lambda: self.draining
        )
        inference = InferenceEndpoints(
            composition, self.upstreams, status, self.load, seconds, metrics
        )
        docs = DocsEndpoints()
        return {
            "fair_price": FairPriceEndpoint(
                self._coalescer(composition.fair_prices), self.answers, watch, metrics
            ).fair_price,
            "fair_price_batch": batches.fair_prices,
            "signal": SignalEndpoint(self._coalescer(composition.signals)).signal,
            "cards": catalog.cards,
            "card": catalog.card,
            "history": catalog.history,
            "movers": catalog.movers,
            "v2_server": inference.server,
            "v2_live": inference.live,
            "v2_ready": inference.ready,
            "v2_model": inference.metadata,
            "v2_model_ready": inference.model_ready,
            "v2_infer": inference.infer,
            "health": status.health,
            "ready": status.ready,
            "openapi": docs.openapi,
            "docs": docs.docs,
        }


def _limiter(settings: GatewaySettings, metrics: Metrics) -> Limiter:
    memory = MemoryLimiter()
    return (
        memory
        if settings.redis_url is None
        else RedisLimiter(settings.redis_url.get_secret_value(), memory, metrics)
    )
