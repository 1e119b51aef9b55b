"""The ASGI application. `pokewatch.gateway.server` runs it, on the protocol that guards it."""

import gc
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from pokewatch.gateway.api.routes import OPERATIONS, Operation
from pokewatch.gateway.assembly import Assembly, Handler
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.http.bodies import Bodies
from pokewatch.gateway.http.middleware import RequestMiddleware, answer, context_of
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.settings import GatewaySettings


class Endpoint:
    """The ASGI application of one operation: lets in who may pass, reads the body, asks the handler, sends its answer."""

    def __init__(self, operation: Operation, handler: Handler, assembly: Assembly) -> None:
        settings = assembly.settings
        most = min(settings.body_bytes, operation.max_bytes or settings.body_bytes)
        self._route = operation.path
        self._scope = operation.scope
        self._bodies = Bodies(most, settings.body_seconds) if operation.request else None
        self._doorman = assembly.doorman
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = context_of(scope)
        exchange.route = self._route
        if self._scope is not None:
            await self._doorman.admit(exchange, self._scope)
        if self._bodies is not None:
            exchange.body = await self._bodies.read(exchange, receive)
        await answer(exchange, send, *await self._handler(exchange))


class Shortcut:
    """Plain ASGI middleware: routes without parameters are found by one look-up, which the router's search costs several times over."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self.app = app
        self._known = {
            (method, route.path): route.app
            for route in routes
            if "{" not in route.path
            for method in route.methods or ()
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        known = (
            self._known.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        )
        if known is not None:
            return known(scope, receive, send)
        # Where there is an application the router raises its 404 and 405 instead of answering them as text.
        scope["app"] = self
        return self.app(scope, receive, send)


class Gateway(RequestMiddleware):
    """The whole application: our middleware around Starlette's router.

    There is no `Starlette` object: its own outer layers, whose work Reception does, would cost every request as much as its endpoint does.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.routes = [
            Route(
                each.path,
                Endpoint(each, assembly.handlers[each.name], assembly),
                methods=[each.method],
                name=each.name,
            )
            for each in OPERATIONS
        ]
        router = Router(self.routes, redirect_slashes=False, lifespan=self._lifespan)
        super().__init__(Shortcut(router, self.routes), assembly.metrics, assembly.access)
        self.refused = RequestMiddleware(_refuse, assembly.metrics, assembly.access)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        await self.assembly.start()
        try:
            yield
        finally:
            await self.assembly.stop()


async def _refuse(scope: Scope, *_: object) -> None:
    """Answer what the server could not read as a request."""
    problem: ProblemError = scope["pokewatch.problem"]
    raise problem


def create_app(settings: GatewaySettings, store: KeyStore) -> Gateway:
    """A gateway as the settings say."""
    return Gateway(Assembly(settings, store))


def settle_garbage() -> None:
    """For a process that only serves: what is there at the start stays, so the collector need not look at it again and again.

    A request leaves no cycles behind; at the usual thresholds the collector takes a sixth of the gateway's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
