"""The ASGI application: `uvicorn pokewatch.gateway.app:app`, or `pokewatch.gateway.server.run`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pokewatch.gateway import bodies, logs
from pokewatch.gateway.assembly import Assembly, Handler
from pokewatch.gateway.exchange import Reception, answer, exchange_of
from pokewatch.gateway.gate import Gate
from pokewatch.gateway.keys import KeyStore
from pokewatch.gateway.operations import OPERATIONS, Operation
from pokewatch.gateway.problems import METHOD, NOT_FOUND, ProblemError
from pokewatch.settings import GatewaySettings, Home


class Endpoint:
    """The innermost ASGI application of a route: reads the body, asks the handler, sends its answer."""

    def __init__(self, handler: Handler, bodied: bool, settings: GatewaySettings) -> None:
        self._handler = handler
        self._bodied = bodied
        self._most = settings.body_bytes
        self._seconds = settings.body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if self._bodied:
            exchange.body = await bodies.read(exchange, receive, self._most, self._seconds)
        await answer(send, *await self._handler(exchange))


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

    app = Starlette(
        routes=[_route(operation, assembly) for operation in OPERATIONS],
        middleware=[Middleware(Reception, metrics=assembly.metrics, access=assembly.access)],
        exception_handlers={HTTPException: _unrouted},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.assembly = assembly
    return app


def _route(operation: Operation, assembly: Assembly) -> Route:
    endpoint: ASGIApp = Endpoint(assembly.handlers[operation.name], operation.request is not None, assembly.settings)
    gate = Gate(endpoint, assembly.doorman, operation.path, operation.scope)
    return Route(operation.path, gate, methods=[operation.method], name=operation.name)


async def _unrouted(request: Request, error: Exception) -> Response:
    """The router's own 404 and 405, as problems."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        raise ProblemError(METHOD, f"{request.method} is not one of {allowed}", headers=[(b"allow", allowed.encode())])
    raise ProblemError(NOT_FOUND, "there is nothing at this address")


class App:
    """Reads its settings when the server starts it, so that importing this module reads nothing."""

    def __init__(self) -> None:
        self._app: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            logs.configure("pokewatch")
            self._app = create_app(GatewaySettings.read(), KeyStore(Home.read().keys))
        if self._app is None:
            raise RuntimeError("the server did not start the application: run it with its lifespan on")
        await self._app(scope, receive, send)


app = App()
