"""Answers on uvicorn: one that is there as a whole goes out in one piece."""

from collections.abc import Awaitable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
            if self._cycle.more_body:
                self._answer_early()
            if message["type"] != "http.response.start" or message["status"] != 200:
                return self._send(message)
            self._start = message
            return _SENT
        self._start = None
        body: bytes = message.get("body", b"")
        if message.get("more_body") or not self._can_write(start, len(body)):
            return self._apart(start, message)
        cycle = self._cycle
        head = b"".join(
            [b"%s: %s\r\n" % field for field in (*cycle.default_headers, *start["headers"])]
        )
        cycle.transport.write(b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (head, body))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()
        return _SENT

    def _answer_early(self) -> None:
        """Where the rest of the body may not come, or will not, the next request cannot be told from it: close."""
        cycle = self._cycle
        if cycle.waiting_for_100_continue:
            cycle.keep_alive = False
        if cycle.disconnected and not cycle.transport.is_closing():  # only the body has ended
            cycle.disconnected = False

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
