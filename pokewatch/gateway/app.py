"""The ASGI application, which `server.py` runs on uvicorn."""

import gc
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.assembly import Assembly, Handler
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.http.bodies import Bodies, CollectionBodies
from pokewatch.gateway.http.middleware import RequestMiddleware, context_of, send_response
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.http.streams import StreamedAnswer, send_stream
from pokewatch.gateway.upstream.transport import Transport
from pokewatch.gateway.web.endpoints import PageOrJson
from pokewatch.settings import GatewaySettings

if TYPE_CHECKING:
    from pokewatch.gateway.mcp.endpoint import McpEndpoint
    from pokewatch.tracing.tracer import Tracer

_PROBES = frozenset({"/health", "/ready", "/v2/health/live", "/v2/health/ready"})


class Endpoint:
    """ASGI application of one operation: authenticates, reads the body, calls the handler."""

    def __init__(self, operation: Operation, handler: Handler, assembly: Assembly) -> None:
        settings = assembly.settings
        self._route = operation.path
        self._scope = operation.scope
        self._bodies = _bodies(operation, settings)
        self._authenticator = assembly.authenticator
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = self._route
        if self._scope is not None:
            await self._authenticator.authenticate(context, self._scope)
        if self._bodies is not None:
            context.body = await self._bodies.read(context, receive)
        answer = await self._handler(context)
        if isinstance(answer, StreamedAnswer):
            await send_stream(context, receive, send, answer)
        else:
            await send_response(context, send, *answer)


def _bodies(operation: Operation, settings: GatewaySettings) -> Bodies | CollectionBodies | None:
    if operation.request is None:
        return None
    if operation.collection:
        return CollectionBodies(settings.collection_bytes, settings.body_seconds, csv=operation.csv)
    max_bytes = min(settings.body_bytes, operation.max_bytes or settings.body_bytes)
    return Bodies(max_bytes, settings.body_seconds)


class OperationRoute(Route):
    """The route of an operation, whose 405 lists the methods of all operations on its path."""

    def __init__(self, operation: Operation, app: ASGIApp, path_methods: set[str]) -> None:
        # The id of a set may be its name, such as "Sun/Moon".
        path = operation.path.replace("{set_id}", "{set_id:path}")
        super().__init__(path, app, methods=[operation.method], name=operation.name)
        self.path = operation.path
        self._allowed = path_methods | {"HEAD"} if "GET" in path_methods else path_methods

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(self._allowed)})
        await super().handle(scope, receive, send)


class StaticRoutes:
    """ASGI middleware that finds routes without parameters by one look-up.

    The router's linear search takes several times as long.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self.app = app
        self._endpoints = {
            (method, route.path): route.app
            for route in routes
            if "{" not in route.path
            for method in route.methods or ()
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            endpoint = self._endpoints.get((scope["method"], scope["path"]))
            if endpoint is not None:
                return endpoint(scope, receive, send)
        # With an `app` in the scope the router raises 404 and 405 instead of responding as text.
        scope["app"] = self
        return self.app(scope, receive, send)


class Gateway(RequestMiddleware):
    """The gateway: `RequestMiddleware` around Starlette's router.

    There is no `Starlette` object: its middleware would do the same work again, and take as long as
    an endpoint does.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        pages = dict(assembly.site.pages) if assembly.site else {}
        self.routes: list[Route] = []
        for each in OPERATIONS:
            app: ASGIApp = Endpoint(each, assembly.handlers[each.name], assembly)
            if each.method == "GET" and each.path in pages:
                app = PageOrJson(pages.pop(each.path), app)
            methods = {other.method for other in OPERATIONS if other.path == each.path}
            self.routes.append(OperationRoute(each, app, methods))
        self.routes += [Route(path, page, methods=["GET"]) for path, page in pages.items()]
        if assembly.site:
            self.routes += assembly.site.routes
        self._mcp = _mcp_endpoint(assembly)
        if self._mcp is not None:
            self.routes.append(Route("/mcp", self._mcp, methods=["POST"], name="mcp"))
        router = Router(
            self.routes,
            redirect_slashes=False,
            default=assembly.site.lost if assembly.site else None,
            lifespan=self._lifespan,
        )
        super().__init__(
            StaticRoutes(router, self.routes),
            assembly.metrics,
            assembly.access_log,
            assembly.cross_origin,
        )
        self.error_app = RequestMiddleware(
            raise_problem, assembly.metrics, assembly.access_log, assembly.cross_origin
        )

    def served(self) -> ASGIApp:
        """Return the application to serve: this one, whose requests are spans if that is on."""
        tracer = self.assembly.tracer
        if tracer is None:
            return self
        from pokewatch.tracing.asgi import TracedApp

        return TracedApp(
            self, tracer, lambda scope: context_of(scope).route, lambda scope: not is_probe(scope)
        )

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        await self.assembly.start()
        try:
            async with self._mcp.running() if self._mcp else nullcontext():
                yield
        finally:
            await self.assembly.stop()


def _mcp_endpoint(assembly: Assembly) -> "McpEndpoint | None":
    """Return the application of /mcp, None without the extra `mcp`."""
    if find_spec("mcp") is None:
        return None
    from pokewatch.gateway.mcp.endpoint import McpEndpoint

    return McpEndpoint(assembly)


async def raise_problem(scope: Scope, *_: object) -> None:
    """Respond to a request that the protocol could not parse."""
    problem: ProblemError = scope["pokewatch.problem"]
    raise problem


def is_probe(scope: Scope) -> bool:
    """Return whether a request is one of those that only ask for the state of the gateway."""
    return scope["path"] in _PROBES


def create_app(
    settings: GatewaySettings,
    store: KeyStore,
    transport: Transport | None = None,
    tracer: "Tracer | None" = None,
) -> Gateway:
    """Return the gateway's application. `transport` leads to the models, by default by HTTP."""
    return Gateway(Assembly(settings, store, transport, tracer))


def tune_garbage_collector() -> None:
    """Exclude all present objects from garbage collection, and collect less often.

    For a process that only serves. Requests leave no reference cycles behind, and with the default
    thresholds the collector takes a sixth of the gateway's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
