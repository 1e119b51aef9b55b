"""The ASGI application: `uvicorn pokewatch.gateway.app:app`, or `pokewatch.gateway.server.run`."""

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pokewatch.gateway import logs
from pokewatch.gateway.assembly import Assembly, Handler
from pokewatch.gateway.bodies import Bodies
from pokewatch.gateway.exchange import Reception, answer, exchange_of
from pokewatch.gateway.gate import Gate
from pokewatch.gateway.keys import KeyStore
from pokewatch.gateway.operations import OPERATIONS, Operation
from pokewatch.gateway.problems import METHOD, NOT_FOUND, ProblemError
from pokewatch.settings import GatewaySettings, Home


class Endpoint:
    """The innermost ASGI application of a route: reads the body, asks the handler, sends its answer."""

    def __init__(self, handler: Handler, bodies: Bodies | None) -> None:
        self._handler = handler
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if self._bodies is not None:
            exchange.body = await self._bodies.read(exchange, receive)
        await answer(send, *await self._handler(exchange))


class Shortcut:
    """Plain ASGI middleware: routes without parameters are found by one look-up, which the router's search costs several times over."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self.app = app
        self._known = {(method, route.path): route.app for route in routes if "{" not in route.path for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = self._known.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (known or self.app)(scope, receive, send)


def create_app(settings: GatewaySettings, store: KeyStore) -> Starlette:
    """A gateway as the settings say. Its state has the `assembly`."""
    assembly = Assembly(settings, store)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await assembly.start()
        try:
            yield
        finally:
            await assembly.stop()

    bodies = Bodies(settings.body_bytes, settings.body_seconds)
    routes = [_route(operation, assembly, bodies) for operation in OPERATIONS]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Reception, metrics=assembly.metrics, access=assembly.access), Middleware(Shortcut, routes=routes)],
        exception_handlers={HTTPException: _unrouted},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.assembly = assembly
    return app


def _route(operation: Operation, assembly: Assembly, bodies: Bodies) -> Route:
    endpoint = Endpoint(assembly.handlers[operation.name], None if operation.request is None else bodies)
    gate = Gate(endpoint, assembly.doorman, operation.path, operation.scope)
    return Route(operation.path, gate, methods=[operation.method], name=operation.name)


async def _unrouted(request: Request, error: Exception) -> Response:
    """The router's own 404 and 405, as problems."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        raise ProblemError(METHOD, f"{request.method} is not one of {allowed}", headers=[(b"allow", allowed.encode())])
    raise ProblemError(NOT_FOUND, "there is nothing at this address")


def settle_garbage() -> None:
    """For a process that only serves: what is there at the start stays, so the collector need not look at it again and again.

    A request leaves no cycles behind; at the usual thresholds the collector takes a sixth of the gateway's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


class App:
    """Reads its settings when the server starts it, so that importing this module reads nothing."""

    def __init__(self) -> None:
        self._app: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            logs.configure("pokewatch")
            settle_garbage()
            self._app = create_app(GatewaySettings.read(), KeyStore(Home.read().keys))
        if self._app is None:
            raise RuntimeError("the server did not start the application: run it with its lifespan on")
        await self._app(scope, receive, send)


app = App()
