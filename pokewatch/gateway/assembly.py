"""The parts of a gateway, put together from its settings."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from pokewatch.gateway.breaker import Breaker
from pokewatch.gateway.coalescing import Coalescer, Load
from pokewatch.gateway.composition import Ask, Composition
from pokewatch.gateway.exchange import Answer, Exchange
from pokewatch.gateway.gate import Doorman
from pokewatch.gateway.keyring import Keyring
from pokewatch.gateway.keys import KeyStore, parse_rate
from pokewatch.gateway.limits import Limiter, MemoryLimiter
from pokewatch.gateway.logs import AccessLog
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.models import FairPrice
from pokewatch.gateway.prices import Prices
from pokewatch.gateway.status import Status
from pokewatch.gateway.upstream import Upstream
from pokewatch.gateway.watch import Watch
from pokewatch.gateway.wire import Wire
from pokewatch.settings import GatewaySettings

Handler = Callable[[Exchange], Awaitable[Answer]]


class Assembly:
    """Made in `create_app`; `start` and `stop` belong to the application's lifespan."""

    def __init__(self, settings: GatewaySettings, store: KeyStore) -> None:
        self.settings = settings
        self.draining = False
        self.metrics = Metrics()
        self.access = AccessLog(sys.stdout.write if settings.access_log else None)
        self.keyring = Keyring(store)
        self.limiter: Limiter = MemoryLimiter()
        self.doorman = Doorman(self.keyring, self.limiter, parse_rate(settings.failed_key_rate), self.metrics)
        self.wire = Wire(settings.mlserver_url, settings.connect_seconds)
        self.upstreams = {name: self._upstream(name) for name in ("fair-price", "decision", "catalog")}
        self.watch = Watch(self.upstreams["catalog"], self.upstreams["decision"], self.metrics, settings.watch_seconds)
        self._load = Load(settings.queue_rows, self.metrics)
        self.composition = Composition(self.upstreams["fair-price"], self.upstreams["decision"], self.watch.saw)
        self.coalescers: list[Coalescer[Ask, FairPrice]] = [self._coalescer() for _ in range(2)]
        self.handlers = self._handlers()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Reads the keys (KeyStoreError where it cannot) and starts to watch keys and versions."""
        await asyncio.to_thread(self.keyring.refresh)
        self._tasks = [asyncio.create_task(self.keyring.watch()), asyncio.create_task(self.watch.run())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for coalescer in self.coalescers:
            await coalescer.close()
        self.wire.close()
        self.access.flush()

    def _upstream(self, name: str) -> Upstream:
        settings = self.settings
        breaker = Breaker(settings.breaker_failures, settings.breaker_seconds)
        return Upstream(name, self.wire, breaker, self.metrics, settings.upstream_seconds)

    def _coalescer(self) -> Coalescer[Ask, FairPrice]:
        settings = self.settings
        return Coalescer(self.composition.value, self._load, self.metrics, seconds=settings.deadline_seconds, in_flight=settings.in_flight)

    def _handlers(self) -> dict[str, Handler]:
        at_market, offered = self.coalescers
        prices = Prices(at_market, offered, self.metrics)
        status = Status(self.watch, self.metrics, self.settings.ready_data_days, lambda: self.draining)
        return {"fair_price": prices.fair_price, "health": status.health, "ready": status.ready, "metrics": status.metrics}
