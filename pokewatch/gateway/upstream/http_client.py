"""A minimal HTTP/1.1 client: keep-alive connections to one server, a deadline on every request.

It exists for its latency: "Transports" in docs/api.md compares it with aiohttp and gRPC.
"""

import asyncio
import math
import ssl
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Self, cast
from urllib.parse import urlsplit

import httptools
import msgspec

MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_CONNECTION_SECONDS = 30.0
SWEEP_SECONDS = 0.05
MAX_INTERIM_REPLIES = 16  # 1xx replies before the final one


class TransportError(Exception):
    """A request without a usable HTTP reply.

    +-- ConnectError         no connection could be made
    +-- BrokenError          the connection was reset or closed before the reply was complete
    +-- MalformedReplyError  the reply is not HTTP, or too large
    +-- DeadlineError        no complete reply in time
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


class HttpAddress(NamedTuple):
    """The parts of a URL. `tls` is None for http; `authority` is the Host of requests."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    authority: str
    base: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the parts of an http or https URL. Raise ValueError for another one."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"expected http://host:port or https://host:port, got {url!r}")
        secure = parts.scheme == "https"
        return cls(
            parts.hostname,
            parts.port or (443 if secure else 80),
            ssl.create_default_context() if secure else None,
            parts.netloc.rpartition("@")[2],
            parts.path.rstrip("/"),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time.

    It is idle again once the reply is complete, even if its caller has been cancelled.
    """

    def __init__(
        self, on_idle: "Callable[[_Connection], None]", on_closed: "Callable[[_Connection], None]"
    ) -> None:
        self._on_idle = on_idle
        self._on_closed = on_closed
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self.deadline = math.inf
        self._parts: list[bytes] = []
        self._size = 0
        self._done = False
        self._interim = 0
        self._keep_alive = False
        self.open = False
        self.opened_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Without this, uvloop sends the request only after it has run every other ready callback.
        self._transport.set_write_buffer_limits(high=0)
        self.open = True
        self.opened_at = asyncio.get_running_loop().time()

    def request(self, data: bytes, deadline: float) -> asyncio.Future[Reply]:
        """Send a request. The future gets the reply or a TransportError.

        The client calls `expire` once `deadline` has passed.
        """
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._parts, self._size, self._done, self._interim = [], 0, False, 0
        self.deadline = deadline
        self._transport.write(data)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.fail(MalformedReplyError("data without a request"))
            return
        self._size += len(data)
        if self._size > MAX_REPLY_BYTES:
            self.fail(MalformedReplyError(f"a reply of more than {MAX_REPLY_BYTES} bytes"))
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
            raise MalformedReplyError("a second reply to the same request")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM_REPLIES:
                raise MalformedReplyError(f"more than {MAX_INTERIM_REPLIES} 1xx replies")
            return
        # Valid only in this callback: afterwards the parser expects the next message.
        self._keep_alive = self._parser.should_keep_alive()
        self._done = True

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(BrokenError(f"connection lost: {error or 'closed by the server'}"))

    def fail(self, error: TransportError) -> None:
        self.close()
        waiter = self._settle()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def expire(self) -> None:
        self.fail(DeadlineError("no complete reply in time"))

    def close(self) -> None:
        if self.open:
            self.open = False
            assert self._transport is not None
            self._transport.abort()
            self._on_closed(self)

    def _finish(self) -> None:
        status = self._parser.get_status_code()
        if not self._keep_alive:
            self.close()
        waiter = self._settle()
        if waiter is not None and not waiter.done():
            waiter.set_result(Reply(status, b"".join(self._parts)))
        if self.open:
            self._on_idle(self)

    def _settle(self) -> asyncio.Future[Reply] | None:
        self.deadline = math.inf
        waiter, self._waiter = self._waiter, None
        return waiter


class UpstreamHttpClient:
    """HTTP client for the server at `url`. It does not limit the number of connections."""

    def __init__(self, url: str, connect_seconds: float = 1.0) -> None:
        self.address = HttpAddress.parse(url)
        host = self.address.authority
        self._head = f" HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n".encode()
        self.connect_seconds = connect_seconds
        self._idle: deque[_Connection] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._all: set[_Connection] = set()

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        """POST a JSON body, or GET if it is None. `headers` are complete lines, each with CRLF.

        Raise TransportError. A request that finds its reused connection closed by the server is
        sent once more on a new one.
        """
        request = self._request(path, body, headers)
        loop = asyncio.get_running_loop()
        now = loop.time()
        reused = self._reusable(now)
        if reused is not None:
            try:
                return await reused.request(request, now + seconds)
            except BrokenError:
                pass
        fresh = await self._connect(min(self.connect_seconds, now + seconds - loop.time()))
        if self._timer is None:
            self._sweep(loop)
        return await fresh.request(request, now + seconds)

    def _request(self, path: str, body: bytes | None, headers: bytes) -> bytes:
        target = (self.address.base + path).encode()
        if body is None:
            return b"".join((b"GET ", target, self._head, headers, b"\r\n"))
        length = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        return b"".join((b"POST ", target, self._head, headers, length, body))

    def _connection(self) -> _Connection:
        return _Connection(self._idle.append, self._all.discard)

    def _reusable(self, now: float) -> _Connection | None:
        """Return the connection used last.

        Old connections are closed, so that a new replica behind the address gets its share.
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.open and now - connection.opened_at < MAX_CONNECTION_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self, seconds: float) -> _Connection:
        loop = asyncio.get_running_loop()
        address = self.address
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(
                    self._connection, address.host, address.port, ssl=address.tls
                )
        except TimeoutError:
            raise ConnectError(f"{address}: no connection in {seconds:.3g} s") from None
        except OSError as error:
            raise ConnectError(f"{address}: {error.strerror or error}") from error
        self._all.add(connection)
        return connection

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End overdue requests, at most SWEEP_SECONDS late.

        One timer for all: a timer per request costs more than writing the request.
        """
        now = loop.time()
        for connection in [each for each in self._all if each.deadline <= now]:
            connection.expire()
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self._all else None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self._all):
            connection.close()
        self._idle.clear()
