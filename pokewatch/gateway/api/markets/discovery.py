"""Which markets there are: those of the settings, or those that the model server lists."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from pokewatch.contract import FAIR_PRICE, market_of_model
from pokewatch.gateway.api.markets.backend import MarketBackend, SharedParts
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.breaker import Breaker
from pokewatch.gateway.upstream.http_stream import StreamingHttpClient
from pokewatch.gateway.upstream.transport import Transport
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client

if TYPE_CHECKING:
    from pokewatch.tracing.tracer import Tracer

logger = logging.getLogger("pokewatch.gateway.markets")

_POLLS = 10  # of the versions, for each of the list of models
_INDEX = "/v2/repository/index"


class ListedModel(msgspec.Struct, frozen=True):
    """A model in the list of the model server."""

    name: str
    state: str = ""


_decode = msgspec.json.Decoder(list[ListedModel]).decode


class MarketDiscovery:
    """Keeps `markets` to those that are served, and polls each of them.

    The markets of POKEWATCH_MARKET_URLS stay as they are. Otherwise a market is added once the
    model server lists its model, and removed once it neither lists nor serves it. All are reached
    by `transport`, by default by HTTP. With a `tracer`, requests to them are spans.
    """

    def __init__(
        self,
        shared: SharedParts,
        transport: Transport | None,
        tracer: "Tracer | None",
    ) -> None:
        settings = shared.settings
        self._shared = shared
        self._transport = transport
        self._tracer = tracer
        self._clients: dict[str, Transport] = {}
        self._tasks: dict[MarketBackend, asyncio.Task[None]] = {}
        self._lister: asyncio.Task[None] | None = None
        addresses = settings.market_addresses()
        self._fixed = bool(addresses)
        named = addresses or {"": settings.mlserver_url}
        self.markets = Markets([self._backend(name, url) for name, url in named.items()])
        client = self._client(settings.mlserver_url)
        breaker = Breaker(settings.breaker_failures, settings.breaker_seconds)
        self._index = V2Client(
            "repository", client, breaker, shared.metrics, settings.upstream_seconds
        )

    async def start(self) -> None:
        """List the models if that is possible, then poll their markets, and the list again."""
        listed = self._fixed or await self.refresh()
        for backend in self.markets.backends:
            self._poll(backend)
        if not self._fixed:
            self._lister = asyncio.create_task(self._run(listed))

    async def stop(self) -> None:
        tasks = [*self._tasks.values(), *([self._lister] if self._lister else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for backend in self._tasks:
            await backend.close()
        self._tasks.clear()
        for client in self._clients.values():
            client.close()

    async def refresh(self) -> bool:
        """List the models once. Return whether the model server answered."""
        try:
            found = _decode(await self._index.send(_INDEX, b"{}"))
        except (ProblemError, RefusedError):
            return False
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._index.bad_reply(str(error))
            return False
        self._update(found)
        return True

    async def _run(self, listed: bool) -> None:
        seconds = self._shared.settings.watch_seconds
        while True:
            await asyncio.sleep(_POLLS * seconds if listed else seconds)
            try:
                listed = await self.refresh()
            except Exception:
                logger.exception("unexpected error")

    def _update(self, models: Sequence[ListedModel]) -> None:
        """Add and remove markets, if the list differs."""
        here = {backend.name: backend for backend in self.markets.backends}
        listed = _markets_of(models)
        # Those known before come first: replicas may list their models in different orders.
        wanted = [name for name, each in here.items() if name in listed or _is_serving(each)]
        wanted += [name for name in listed if name not in here]
        if not wanted or wanted == list(here):
            return
        url = self._shared.settings.mlserver_url
        self.markets.replace([here.get(name) or self._backend(name, url) for name in wanted])
        logger.info("markets changed", extra={"markets": wanted})
        for backend in self.markets.backends:
            if self._lister is not None:
                self._poll(backend)
        for name in here.keys() - set(wanted):
            self._remove(here[name])

    def _poll(self, backend: MarketBackend) -> None:
        if backend not in self._tasks:
            self._tasks[backend] = asyncio.create_task(
                backend.run(self.markets.several, self.markets.forget_cards)
            )

    def _remove(self, backend: MarketBackend) -> None:
        task = self._tasks.pop(backend, None)
        if task is not None:
            task.cancel()
        self._shared.metrics.served.remove(backend.name)

    def _backend(self, name: str, url: str) -> MarketBackend:
        return MarketBackend(name, self._client(url), self._shared)

    def _client(self, url: str) -> Transport:
        """Return the transport to an address, which its markets share."""
        client = self._clients.get(url)
        if client is None:
            seconds = self._shared.settings.connect_seconds
            client = self._transport or StreamingHttpClient(url, seconds)
            if self._tracer is not None:
                from pokewatch.gateway.upstream.traced_transport import TracedTransport

                client = TracedTransport(client, self._tracer)
            self._clients[url] = client
        return client


def _markets_of(models: Sequence[ListedModel]) -> list[str]:
    """Return the names of the markets, "" for the model `fair-price`.

    That one is left out beside others if it is not loaded: the models folder has it in any case.
    """
    found = [market_of_model(each.name) for each in models if market_of_model(each.name)]
    default = [each for each in models if each.name == FAIR_PRICE]
    if default and (not found or default[0].state == "READY"):
        return ["", *found]
    return found


def _is_serving(backend: MarketBackend) -> bool:
    return backend.poller.served is not None and backend.poller.problem is None
