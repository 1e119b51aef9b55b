"""Responses of any size, sent piece by piece."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Send

from pokewatch.gateway.http.middleware import Header, RequestContext, send_start


@dataclass(frozen=True, slots=True)
class Download:
    """A response whose `pieces` are read while it is sent; the first one has been read."""

    headers: Sequence[Header]
    first: bytes
    pieces: AsyncIterator[bytes]


async def send_download(
    context: RequestContext, receive: Receive, send: Send, download: Download
) -> None:
    """Send a download until its end, or until the client is gone.

    An error after the first piece is raised: the server then closes the connection before the
    end of the response, so that the client knows that it is incomplete.
    """
    if context.scope["method"] == "HEAD":
        await send_start(context, send, download.headers)
        await send({"type": "http.response.body", "body": b""})
        return
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await _send(context, send, download, gone)
    finally:
        gone.cancel()


async def _send(
    context: RequestContext, send: Send, download: Download, gone: asyncio.Future[None]
) -> None:
    await send_start(context, send, download.headers)
    await send({"type": "http.response.body", "body": download.first, "more_body": True})
    async for piece in download.pieces:
        if gone.done():
            return
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
