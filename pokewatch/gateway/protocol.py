"""HTTP/1.1 on uvicorn's protocol: guarded against slow clients, and an answer that is there as a whole goes out in one piece."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024  # beyond the read in which it begins
MOST_PIPELINED = 64
SLOWEST_READER = 1_024  # bytes a second


class GuardedProtocol(HttpToolsProtocol):
    """Ends connections that cost without being used.

    Those that are idle, or slow to tell a request's headers: after `header_seconds`, and uvicorn's keep-alive from then on. Those whose
    head has no end, that send request after request without waiting for an answer, or that do not read the answers they have.
    uvicorn waits forever and keeps all of it, and makes a timer for every answer. Here a connection has one timer, moved on only when
    it ends, and another one while it has answers that are not read.
    """

    header_seconds = 10.0
    _due: float | None = None  # None while a request is on its way
    _timer: asyncio.TimerHandle | None = None
    _head_bytes: int | None = None  # None outside of a head
    _unread_timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.app = whole(self.app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end_in(self.header_seconds)

    def data_received(self, data: bytes) -> None:
        message = self.scope
        super().data_received(data)
        # Of the read in which a head begins nobody knows how much of it is head.
        if self._head_bytes is not None and self.scope is message:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._due = self._head_bytes = None
        if len(self.pipeline) >= MOST_PIPELINED:
            self.transport.abort()
            return
        super().on_headers_complete()
        # What comes after the body are trailers: they go to a list that nobody reads, for a trailer is no header (RFC 9110, 6.5.1).
        self.headers = []

    def on_response_complete(self) -> None:
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._end_in(self.timeout_keep_alive)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        self._release_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._release()
        self._release_reader()
        super().connection_lost(exc)

    def _end_in(self, seconds: float) -> None:
        self._due = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._due:
            self._release()
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._end_if_due)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_if_due(self) -> None:
        self._timer = None
        if self._due is None:
            return
        left = self._due - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._end_if_due)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.close()

    def _watch_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._unread_timer = self.loop.call_later(self.header_seconds, self._end_if_unread, unread)

    def _end_if_unread(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < SLOWEST_READER * self.header_seconds:
            self.transport.abort()
        else:
            self._watch_reader()

    def _release_reader(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None


def whole(app: ASGIApp) -> ASGIApp:
    """The application as uvicorn is to call it."""

    def serve(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return app(scope, receive, _WholeAnswer(send).send)

    return serve


_NOTHING: Any = iter(())  # stays at its end, so it serves all


class _Sent:
    """What a `send` that has nothing to wait for is awaited as."""

    def __await__(self) -> Any:
        return _NOTHING


_SENT = _Sent()


class _WholeAnswer:
    """uvicorn's `send`, but that a 200 whose body is its second message is written at once, its head not looked at field by field.

    uvicorn searches each name and value by a regular expression, on every answer anew. Every other answer takes uvicorn's own way.
    """

    __slots__ = ("_cycle", "_send", "_start")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._cycle: Any = send.__self__  # type: ignore[attr-defined]  # uvicorn's cycle of request and response
        self._start: Message | None = None

    def send(self, message: Message) -> Awaitable[None]:
        start = self._start
        if start is None:
            if message["type"] != "http.response.start" or message["status"] != 200:
                return self._send(message)
            self._start = message
            return _SENT
        self._start = None
        body: bytes = message.get("body", b"")
        if message.get("more_body") or not self._can_write(start, len(body)):
            return self._apart(start, message)
        cycle = self._cycle
        head = b"".join([b"%s: %s\r\n" % field for field in (*cycle.default_headers, *start["headers"])])
        cycle.transport.write(b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (head, body))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()
        return _SENT

    def _can_write(self, start: Message, length: int) -> bool:
        """Whether nothing is left for uvicorn to decide: no connection to close, no body to hold back or to cut into chunks."""
        cycle = self._cycle
        return (
            cycle.keep_alive
            and not cycle.disconnected
            and not cycle.flow.write_paused
            and cycle.scope["method"] != "HEAD"
            and (b"content-length", b"%d" % length) in start["headers"]
        )

    async def _apart(self, start: Message, body: Message) -> None:
        await self._send(start)
        await self._send(body)
