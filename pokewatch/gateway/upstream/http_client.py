"""A lean HTTP/1.1 client: keep-alive connections to one server, a deadline on every exchange.

It exists for latency: see "Transports" in docs/api.md for its measurement against aiohttp and gRPC.
"""

import asyncio
import math
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec

MOST_BYTES = 64 * 1024 * 1024
OLDEST_SECONDS = 30.0
SWEEP_SECONDS = 0.05
MOST_INTERIM = 16  # replies 1xx before the one that counts


class TransportError(Exception):
    """The exchange failed.

    +-- ConnectError   no connection could be made
    +-- BrokenError    the connection was reset or closed before the reply was whole
    +-- GarbageError   what came back is not HTTP, or too much of it
    +-- DeadlineError  no whole reply in time
    """


class ConnectError(TransportError):
    pass


class BrokenError(TransportError):
    pass


class MalformedReplyError(TransportError):
    pass


class DeadlineError(TransportError):
    pass


class Reply(msgspec.Struct, frozen=True):
    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time; free again once a reply is whole, also where nobody waits for it any more."""

    def __init__(
        self, on_free: "Callable[[_Connection], None]", on_lost: "Callable[[_Connection], None]"
    ) -> None:
        self._on_free = on_free
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self.deadline = math.inf
        self._parts: list[bytes] = []
        self._size = 0
        self._done = False
        self._interim = 0
        self._keep = False
        self.open = False
        self.born = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # uvloop would otherwise keep a request back until it has run everything else that is ready: the model server would wait.
        self._transport.set_write_buffer_limits(high=0)
        self.open = True
        self.born = asyncio.get_running_loop().time()

    def exchange(self, request: bytes, deadline: float) -> asyncio.Future[Reply]:
        """Sends a whole request. The future ends with the reply or a WireError; `overdue` ends it at `deadline`."""
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._parts, self._size, self._done, self._interim = [], 0, False, 0
        self.deadline = deadline
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.fail(MalformedReplyError("data that nobody asked for"))
            return
        self._size += len(data)
        if self._size > MOST_BYTES:
            self.fail(MalformedReplyError(f"a reply over {MOST_BYTES} bytes"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(MalformedReplyError(f"not an HTTP reply: {error}"))
            return
        if self._done:
            self._finish()

    def on_message_begin(self) -> None:
        if self._done:
            raise MalformedReplyError("a second reply to one request")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise MalformedReplyError("1xx replies without end")
            return
        # Only here does the parser still know: afterwards it expects the next message.
        self._keep = self._parser.should_keep_alive()
        self._done = True

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(BrokenError(f"connection lost: {error or 'closed by the server'}"))

    def fail(self, error: TransportError) -> None:
        self.close()
        waiter = self._settle()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def overdue(self) -> None:
        self.fail(DeadlineError("no whole reply in time"))

    def close(self) -> None:
        if self.open:
            self.open = False
            assert self._transport is not None
            self._transport.abort()
            self._on_lost(self)

    def _finish(self) -> None:
        status = self._parser.get_status_code()
        if not self._keep:
            self.close()
        waiter = self._settle()
        if waiter is not None and not waiter.done():
            waiter.set_result(Reply(status, b"".join(self._parts)))
        if self.open:
            self._on_free(self)

    def _settle(self) -> asyncio.Future[Reply] | None:
        self.deadline = math.inf
        waiter, self._waiter = self._waiter, None
        return waiter


class UpstreamHttpClient:
    """Exchanges with the server at `url`. Raises WireError; the caller bounds how many run at once."""

    def __init__(self, url: str, connect_seconds: float = 1.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"got {url!r}, expected http://host:port or https://host:port")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._base = parts.path.rstrip("/")
        self._head = f" HTTP/1.1\r\nhost: {parts.netloc.rpartition('@')[2]}\r\naccept: application/json\r\n".encode()
        self._connect_seconds = connect_seconds
        self._idle: deque[_Connection] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._all: set[_Connection] = set()

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        """POSTs a JSON body, or GETs where there is none. `headers` are whole lines, each ending in CRLF.

        One retry, at once, where a kept connection turns out to be closed: the server had ended it, not the request.
        """
        request = self._request(path, body, headers)
        loop = asyncio.get_running_loop()
        now = loop.time()
        kept = self._kept(now)
        if kept is not None:
            try:
                return await kept.exchange(request, now + seconds)
            except BrokenError:
                pass
        fresh = await self._connect(min(self._connect_seconds, now + seconds - loop.time()))
        if self._timer is None:
            self._sweep(loop)
        return await fresh.exchange(request, now + seconds)

    def _request(self, path: str, body: bytes | None, headers: bytes) -> bytes:
        target = (self._base + path).encode()
        if body is None:
            return b"".join((b"GET ", target, self._head, headers, b"\r\n"))
        length = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        return b"".join((b"POST ", target, self._head, headers, length, body))

    def _connection(self) -> _Connection:
        return _Connection(self._idle.append, self._all.discard)

    def _kept(self, now: float) -> _Connection | None:
        """The connection used last; old ones are ended so that a new replica behind the address gets its share."""
        while self._idle:
            connection = self._idle.pop()
            if connection.open and now - connection.born < OLDEST_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self, seconds: float) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(
                    self._connection, self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            raise ConnectError(
                f"{self._host}:{self._port}: no connection in {seconds:.3g} s"
            ) from None
        except OSError as error:
            raise ConnectError(f"{self._host}:{self._port}: {error.strerror or error}") from error
        self._all.add(connection)
        return connection

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends what is overdue, at most SWEEP_SECONDS late: one timer for all, for one an exchange costs more than writing it."""
        now = loop.time()
        for connection in [each for each in self._all if each.deadline <= now]:
            connection.overdue()
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self._all else None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self._all):
            connection.close()
        self._idle.clear()
