"""ASGI applications of the pages, and the choice between page and JSON where a path has both."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import parse_query
from pokewatch.gateway.auth.authentication import unauthorized
from pokewatch.gateway.http.accept import preferred
from pokewatch.gateway.http.middleware import (
    NO_STORE,
    REVALIDATE,
    Answer,
    Header,
    RequestContext,
    context_of,
    send_response,
)
from pokewatch.gateway.http.problems import NOT_FOUND, UNAUTHORIZED, ProblemError
from pokewatch.gateway.http.streams import StreamedAnswer, send_stream
from pokewatch.gateway.upstream.answer_cache import AnswerCache, etag, etag_matches
from pokewatch.gateway.upstream.v2_messages import Versions
from pokewatch.gateway.web.access import (
    SIGN_IN,
    PageAccess,
    is_unsent,
    to_sign_in,
    wanted_page,
)
from pokewatch.gateway.web.page_queries import PageQuery, market_of
from pokewatch.gateway.web.page_renderer import PageRenderer, problem_headers
from pokewatch.gateway.web.rendering import HTML, SECURITY, StaticFiles
from pokewatch.gateway.web.visits import Visit

DataHandler = Callable[[Visit], Awaitable[bytes]]
DownloadHandler = Callable[[RequestContext], Awaitable[StreamedAnswer]]
PageHandler = Callable[[Visit], Awaitable[dict[str, Any]]]

_VARY: Header = (b"vary", b"accept, cookie")
_KINDS = (b"application/json", b"text/html")
DATA = "/page-data"  # before the path of a page's data


class PageEndpoint:
    """ASGI application of one page. Problems are answered as pages too."""

    def __init__(
        self,
        path: str,
        template: str,
        query: type[PageQuery],
        handler: PageHandler,
        renderer: PageRenderer,
        access: PageAccess,
        answers: AnswerCache | None,
    ) -> None:
        self._path = path
        self._template = template
        self._query = query
        self._handler = handler
        self._renderer = renderer
        self._access = access
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = self._path
        try:
            answer = await self._access.admit(context) or await self._page(context)
        except ProblemError as problem:
            answer = await self._renderer.problem(context, problem)
        await send_page(context, send, answer)

    async def _page(self, context: RequestContext) -> Answer:
        query = parse_query(self._query, context.scope["query_string"])
        card = context.scope.get("path_params", {}).get("card_id")
        market = market_of(self._renderer.markets, query, card).for_request(context)
        request = self._renderer.cache_key(context, query, market)
        body = self._cached(request, market.poller.current_versions())
        if body is None:
            body = await self._made(context, query, market, request)
        tag = etag(body)
        # A weak tag: the page may be sent compressed or not (RFC 9110, 8.8.1).
        headers = [REVALIDATE, (b"etag", b"W/" + tag)]
        if etag_matches(context.headers.get(b"if-none-match", b""), tag):
            return 304, headers, b""
        return 200, headers, body

    async def _made(
        self,
        context: RequestContext,
        query: PageQuery,
        market: MarketBackend,
        request: tuple[str, ...],
    ) -> bytes:
        """Return the page, and cache it if all of it is there, from the versions being served."""
        poller = market.poller
        for _ in range(2):
            visit = Visit(context, market, query)
            values = await self._handler(visit)
            current = visit.versions <= poller.served_versions() and visit.record_digest in (
                None,
                poller.current_record(),
            )
            if visit.stale or current or not await poller.refresh():
                break  # else the footer would be of other versions than the prices
        body = self._renderer.render(self._template, context, values, market, visit.stale)
        visit.on_shown()
        lasts = current and visit.complete and not visit.stale
        if self._answers is not None and visit.versions and lasts:
            self._answers.put(request, body, *next(iter(visit.versions)))
        return body

    def _cached(self, request: tuple[str, ...], versions: Versions | None) -> bytes | None:
        if self._answers is None:
            return None
        cached = self._answers.fresh(request, versions)
        return None if cached is None else cached.prefix


async def _admitted(scope: Scope, path: str, access: PageAccess) -> RequestContext:
    """Return the context of a request for data. Raise ProblemError if it is not admitted."""
    context = context_of(scope)
    context.route = path
    if await access.admit(context) is not None:
        raise unauthorized("sign in first")
    return context


class DataEndpoint:
    """ASGI application of data that a page loads or offers for download."""

    def __init__(
        self,
        path: str,
        headers: Sequence[Header],
        handler: DataHandler,
        access: PageAccess,
        markets: Markets,
    ) -> None:
        self._path = path
        self._headers = headers
        self._handler = handler
        self._access = access
        self._markets = markets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = await _admitted(scope, self._path, self._access)
        query = parse_query(PageQuery, context.scope["query_string"])
        market = market_of(self._markets, query, None).for_request(context)
        body = await self._handler(Visit(context, market, query))
        await send_page(context, send, (200, [*self._headers, NO_STORE], body))


class DownloadEndpoint:
    """ASGI application of a download that a page offers."""

    def __init__(self, path: str, handler: DownloadHandler, access: PageAccess) -> None:
        self._path = path
        self._handler = handler
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = await _admitted(scope, self._path, self._access)
        await send_stream(context, receive, send, await self._handler(context))


class LinkedData:
    """ASGI application of data that a link of a page leads to.

    A browser that gets none shows why as a page, and one without a session the page for signing in,
    which leads back to the page of the link.
    """

    def __init__(self, data: ASGIApp, renderer: PageRenderer) -> None:
        self._data = data
        self._renderer = renderer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        try:
            await self._data(scope, receive, send)
        except ProblemError as problem:
            if context.status or not _wants_page(context):
                raise
            if problem.kind is UNAUTHORIZED:
                page = scope["path"].removeprefix(DATA).rpartition(".")[0]
                answer = to_sign_in(context, page)
            else:
                answer = await self._renderer.problem(context, problem)
            await send_page(context, send, answer)


class StaticEndpoint:
    """ASGI application of the style sheet and the scripts, which need no key."""

    def __init__(self, static: StaticFiles) -> None:
        self._static = static

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = "/static/{name}"
        answer = self._static.answer(scope["path_params"]["name"], scope["query_string"])
        await send_page(context, send, answer)


class SignInEndpoint:
    """ASGI application of the page for signing in, and of its form."""

    def __init__(self, renderer: PageRenderer, access: PageAccess) -> None:
        self._renderer = renderer
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = SIGN_IN
        problem, status = None, 200
        try:
            if scope["method"] == "POST":
                await send_page(context, send, await self._access.sign_in(context, receive))
                return
        except ProblemError as error:
            problem, status = error, error.kind.status
        values = {
            "problem": problem,
            "next": wanted_page(context),
            "unsent": problem is None and is_unsent(context),
        }
        body = self._renderer.render("sign_in.html", context, values)
        headers = problem_headers(problem) if problem else [NO_STORE]
        await send_page(context, send, (status, headers, body))


class SignOutEndpoint:
    """ASGI application of the form that ends a session."""

    def __init__(self, renderer: PageRenderer, access: PageAccess) -> None:
        self._renderer = renderer
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = "/sign-out"
        try:
            answer = await self._access.sign_out(context, receive)
        except ProblemError as problem:
            answer = await self._renderer.problem(context, problem)
        await send_page(context, send, answer)


class LostEndpoint:
    """ASGI application of the paths that lead nowhere."""

    def __init__(self, renderer: PageRenderer) -> None:
        self._renderer = renderer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        problem = ProblemError(NOT_FOUND, "there is no such page")
        await send_page(context, send, await self._renderer.problem(context, problem))


async def raise_not_found(*_: object) -> None:
    """Respond to a path that leads nowhere as the API does."""
    raise HTTPException(404)


class PageOrJson:
    """ASGI application of a path that has a page and JSON: browsers get the page.

    The page is for requests that accept `text/html` and do not prefer JSON to it.
    """

    def __init__(self, page: ASGIApp, json: ASGIApp) -> None:
        self.page = page
        self.json = json

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app = self.page if _wants_page(context_of(scope)) else self.json
        return app(scope, receive, send)


def _wants_page(context: RequestContext) -> bool:
    return preferred(context.headers.get(b"accept", b""), _KINDS) == _KINDS[1]


async def send_page(context: RequestContext, send: Send, answer: Answer) -> None:
    """Send a page with its security headers."""
    status, headers, body = answer
    given = {name for name, _ in headers}
    fields = [*headers, *SECURITY, _VARY]
    if b"content-type" not in given and status != 304:
        fields.append(HTML)
    await send_response(context, send, status, fields, body)
