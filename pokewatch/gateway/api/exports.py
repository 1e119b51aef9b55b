"""GET /export.parquet and /export.csv: files of the model server, passed on as they arrive."""

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import quote

from msgspec import UNSET

from pokewatch.contract import EXPORT_PREPARING, EXPORT_TYPES, ExportFormat, parse_history
from pokewatch.gateway.api.downloads import DownloadLimit
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import ExportQuery, parse_query
from pokewatch.gateway.http.middleware import REVALIDATE, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import (
    PREPARING,
    RANGE,
    UNKNOWN_DATE,
    UPSTREAM_FAULT,
    UPSTREAM_TIMEOUT,
    ProblemError,
    invalid,
    unavailable,
)
from pokewatch.gateway.http.streams import BrokenBodyError, StreamedAnswer
from pokewatch.gateway.upstream.http_client import (
    DeadlineError,
    MalformedReplyError,
    TransportError,
)
from pokewatch.gateway.upstream.transport import ArrivingReply
from pokewatch.gateway.upstream.v2_messages import decode_refusal
from pokewatch.settings import GatewaySettings

_PREPARE_SECONDS = 5.0  # that the model server may wait for a file, besides its usual time
_MAX_REFUSAL = 65_536
_MAX_HEADER = 200
_RETURNED = (b"content-length", b"content-range", b"etag", b"accept-ranges")


class ExportEndpoints:
    """Passes exports on, each as a stream of its own from upstream."""

    def __init__(self, markets: Markets, settings: GatewaySettings) -> None:
        self._markets = markets
        self._seconds = settings.upstream_seconds + _PREPARE_SECONDS
        self.limit = DownloadLimit()

    async def parquet(self, context: RequestContext) -> Answer | StreamedAnswer:
        return await self._answer(context, "parquet")

    async def csv(self, context: RequestContext) -> Answer | StreamedAnswer:
        return await self._answer(context, "csv")

    async def _answer(
        self, context: RequestContext, file_format: ExportFormat
    ) -> Answer | StreamedAnswer:
        query = parse_query(ExportQuery, context.scope["query_string"])
        market = self._markets.chosen(query.market)
        path = f"{market.catalog}/export.{file_format}"
        if query.history is not UNSET:
            path += f"?history={quote(_checked(query.history))}"
        stack = contextlib.AsyncExitStack()
        stack.enter_context(self.limit.counted(context))
        try:
            reply = await stack.enter_async_context(
                market.transport.stream(path, _forwarded(context), self._seconds)
            )
            answer = await _started(reply, market.name, file_format, stack)
        except TransportError as error:
            await stack.aclose()
            raise _problem(error) from error
        except BaseException:
            await stack.aclose()
            raise
        if not isinstance(answer, StreamedAnswer):
            await stack.aclose()
        return answer


def _checked(history: str) -> str:
    try:
        parse_history(history)
    except ValueError as error:
        raise invalid("?history", str(error)) from None
    return history


def _forwarded(context: RequestContext) -> bytes:
    """Return the header lines of the request to the model server.

    A range is one of GET alone (RFC 9110, 14.2), and none without its condition.
    """
    given = context.headers
    names = [b"if-none-match"]
    if context.scope["method"] == "GET" and len(given.get(b"if-range", b"")) < _MAX_HEADER:
        names += [b"range", b"if-range"]
    lines = [
        b"%s: %s\r\n" % (name, given[name])
        for name in names
        if len(given.get(name, b"")) in range(1, _MAX_HEADER)
    ]
    return b"".join([context.forwarded_headers(), *lines])


async def _started(
    reply: ArrivingReply,
    market: str,
    file_format: ExportFormat,
    stack: contextlib.AsyncExitStack,
) -> Answer | StreamedAnswer:
    """Return the answer that a reply begins. Raise ProblemError, TransportError."""
    returned = [(name, reply.headers[name]) for name in _RETURNED if name in reply.headers]
    if reply.status == 304:
        return 304, [REVALIDATE, *returned], b""
    if reply.status in (200, 206) and {b"content-length", b"etag"} <= reply.headers.keys():
        stem = f"pokewatch-{market}" if market else "pokewatch"
        name = f'attachment; filename="{stem}.{file_format}"'.encode()
        headers: list[Header] = [
            (b"content-type", EXPORT_TYPES[file_format].encode()),
            (b"content-disposition", name),
            REVALIDATE,
            *returned,
        ]
        return StreamedAnswer(reply.status, headers, _parts(reply), stack.aclose)
    if reply.status == 416:
        detail = "the range starts after the end of the file"
        ranges = [field for field in returned if field[0] == b"content-range"]
        raise ProblemError(RANGE, detail, headers=ranges)
    raise await _refused(reply)


async def _parts(reply: ArrivingReply) -> AsyncIterator[bytes]:
    try:
        async for part in reply.body():
            yield part
    except TransportError as error:
        raise BrokenBodyError(str(error)) from error


async def _refused(reply: ArrivingReply) -> ProblemError:
    message = decode_refusal(await reply.read(_MAX_REFUSAL)).error
    if reply.status == 409:
        return ProblemError(UNKNOWN_DATE, message)
    if reply.status == 422:
        return invalid("?history", message)
    if reply.status == 503 and message.startswith(EXPORT_PREPARING):
        return ProblemError(PREPARING, message, retry_after=5)
    if reply.status == 503:
        return unavailable("the model server (export) is not available")
    return ProblemError(UPSTREAM_FAULT, "the model server (export) returned an unusable reply")


def _problem(error: TransportError) -> ProblemError:
    if isinstance(error, DeadlineError):
        detail = "the model server (export) did not answer in time"
        return ProblemError(UPSTREAM_TIMEOUT, detail, retry_after=1)
    if isinstance(error, MalformedReplyError):
        return ProblemError(UPSTREAM_FAULT, "the model server (export) returned an unusable reply")
    return unavailable("the model server (export) cannot be reached")
