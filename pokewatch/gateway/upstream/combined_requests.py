"""Requests to several models of one model server, sent as one."""

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from pokewatch.contract import INFERENCES_PATH
from pokewatch.gateway.upstream.http_client import MalformedReplyError, Reply
from pokewatch.gateway.upstream.transport import Sender

_INFER = re.compile(r"/v2/models/([^/]+)/infer")


class _Part(msgspec.Struct, frozen=True):
    """The reply to one of the requests."""

    status: int
    body: msgspec.Raw


class _Waiting(NamedTuple):
    model: str
    body: bytes
    seconds: float
    headers: bytes
    reply: asyncio.Future[Reply]


_parts = msgspec.json.Decoder(list[_Part]).decode


class CombinedRequests:
    """A sender that combines the requests that are sent in one turn of the event loop.

    The model server answers each by itself. What it makes of the combined request as a whole, an
    error or a refusal, is the outcome of each. The header lines are those of the first, and the
    timeout is the longest.
    """

    def __init__(self, http: Sender) -> None:
        self._http = http
        self._waiting: list[_Waiting] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        """POST a JSON body to a model. Raise TransportError, or ValueError for another request."""
        match = _INFER.fullmatch(path)
        if match is None or body is None:
            raise ValueError(f"only requests to models can be combined, got {path!r}")
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._start)
        waiting = _Waiting(match[1], body, seconds, headers, loop.create_future())
        self._waiting.append(waiting)
        return await waiting.reply

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        call = asyncio.create_task(self._call(waiting))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, waiting: Sequence[_Waiting]) -> None:
        try:
            replies = await self._replies(waiting)
        except Exception as error:
            for each in waiting:
                if not each.reply.done():
                    each.reply.set_exception(error)
            return
        for each, reply in zip(waiting, replies, strict=True):
            if not each.reply.done():
                each.reply.set_result(reply)

    async def _replies(self, waiting: Sequence[_Waiting]) -> Sequence[Reply]:
        """Return the reply to each request. Raise TransportError."""
        body = b"[%s]" % b",".join(
            b'{"model":"%s","request":%s}' % (each.model.encode(), each.body) for each in waiting
        )
        seconds = max(each.seconds for each in waiting)
        whole = await self._http.send(INFERENCES_PATH, body, seconds, waiting[0].headers)
        if whole.status != 200:
            return [whole] * len(waiting)
        try:
            parts = _parts(whole.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedReplyError(f"not replies to {len(waiting)} requests: {error}") from error
        if len(parts) != len(waiting):
            raise MalformedReplyError(f"{len(parts)} replies to {len(waiting)} requests")
        return [Reply(part.status, bytes(part.body)) for part in parts]
