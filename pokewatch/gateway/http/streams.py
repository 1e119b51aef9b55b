"""Responses of any size, sent part by part."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.types import Receive, Send

from pokewatch.gateway.http.compression import (
    SMALLEST,
    VARY,
    coding_for,
    compressed_parts,
    is_text,
)
from pokewatch.gateway.http.middleware import Header, RequestContext, response_fields

logger = logging.getLogger("pokewatch.gateway")


async def _nothing() -> None:
    pass


class StreamedAnswer(NamedTuple):
    """An answer that is sent part by part. `close` is called at the end, whatever happens."""

    status: int
    headers: Sequence[Header]
    parts: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]] = _nothing


class BrokenBodyError(Exception):
    """The parts of a streamed answer end early: the connection is closed."""


async def send_stream(
    context: RequestContext, receive: Receive, send: Send, answer: StreamedAnswer
) -> None:
    """Send a streamed answer, until its client has gone. Texts are compressed where that is asked.

    After a BrokenBodyError the response stays without its end, so that the server closes the
    connection and the client knows that it is incomplete; one of HTTP/1.0 cannot tell.
    """
    fields = response_fields(context, answer.status, answer.headers)
    parts = answer.parts
    if _compressible(answer):
        fields.append(VARY)
        if coding := coding_for(context.headers, SMALLEST):
            fields.append((b"content-encoding", coding))
            parts = compressed_parts(parts, coding)
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        if context.scope["method"] != "HEAD":
            async for part in parts:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except BrokenBodyError as error:
        where = {"request_id": context.request_id, "cause": str(error)}
        logger.warning("streamed answer ended early", extra=where)
    finally:
        gone.cancel()
        await answer.close()


def _compressible(answer: StreamedAnswer) -> bool:
    """Return whether an answer may be compressed: no file whose length and ranges are known."""
    return is_text(answer.headers) and b"content-length" not in dict(answer.headers)


async def _disconnect(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
