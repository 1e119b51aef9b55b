"""POST /mcp: the tools over streamable HTTP, with an API key.

It keeps no sessions, so that any gateway may answer any request; each answer is one JSON object.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Message, Receive, Scope, Send

from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.assembly import Assembly
from pokewatch.gateway.http.bodies import CollectionBodies
from pokewatch.gateway.http.compression import GZIP_LEVEL, SMALLEST
from pokewatch.gateway.http.cors import CrossOrigin
from pokewatch.gateway.http.middleware import RequestContext, context_of, response_fields
from pokewatch.gateway.http.problems import FORBIDDEN, ProblemError
from pokewatch.gateway.mcp.handlers_api import HandlersApi, current_request
from pokewatch.gateway.mcp.tools import make_server

PATH = "/mcp"


class McpEndpoint:
    """ASGI application: checks the origin, the key and the body, then lets the SDK answer."""

    def __init__(self, assembly: Assembly) -> None:
        settings = assembly.settings
        self._authenticator = assembly.authenticator
        self._cross_origin = assembly.cross_origin
        self._bodies = CollectionBodies(settings.collection_bytes, settings.body_seconds, csv=False)
        server = make_server(HandlersApi(OPERATIONS, assembly.handlers))
        # The Host is not checked, since the gateway may have any name and needs a key.
        server.streamable_http_app(
            json_response=True,
            stateless_http=True,
            max_request_body_size=settings.collection_bytes,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._manager = server.session_manager
        self._app = GZipMiddleware(self._manager.handle_request, SMALLEST, GZIP_LEVEL)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer requests inside. May be entered once."""
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = PATH
        _check_origin(context, self._cross_origin)
        await self._authenticator.authenticate(context, "read")
        body = await self._bodies.read(context, receive)
        token = current_request.set(context)
        try:
            await self._app(scope, _replayed(body, receive), _completed(context, send))
        finally:
            current_request.reset(token)


def _check_origin(context: RequestContext, allowed: CrossOrigin | None) -> None:
    """Raise ProblemError (403) for a request from a web page of another site that is not allowed.

    The protocol asks servers for it, so that a page cannot call a server on the user's machine.
    """
    origin = context.headers.get(b"origin")
    host = context.headers.get(b"host", b"")
    if origin is None or (allowed is not None and allowed.allows(origin)):
        return
    if origin.lower().partition(b"://")[2] != host.lower():
        raise ProblemError(FORBIDDEN, "web pages of other sites may not call /mcp")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with the body, which has been read."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _completed(context: RequestContext, send: Send) -> Send:
    """Return a `send` that adds the headers that all responses have."""

    async def send_completed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            message["headers"] = response_fields(context, message["status"], headers)
        await send(message)

    return send_completed
