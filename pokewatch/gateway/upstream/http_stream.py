"""HTTP replies that are passed on while they arrive: one connection each, and no copy in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httptools

from pokewatch.gateway.upstream.http_client import (
    BrokenError,
    ConnectError,
    DeadlineError,
    HttpAddress,
    MalformedReplyError,
    UpstreamHttpClient,
)
from pokewatch.gateway.upstream.transport import first_bytes

READ_BYTES = 64 * 1024
MAX_HEAD_BYTES = 64 * 1024


class StreamedReply:
    """A reply whose head has arrived. Header names are in lower case."""

    def __init__(self, reader: asyncio.StreamReader, seconds: float) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._reader = reader
        self._seconds = seconds
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._head = self._done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._head = True

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._done = True

    async def read_head(self) -> None:
        """Raise TransportError if there is no complete head in time."""
        size = 0
        while not self._head:
            size += await self._feed()
            if size > MAX_HEAD_BYTES and not self._head:
                raise MalformedReplyError(f"headers of more than {MAX_HEAD_BYTES} bytes")
        self.status = self._parser.get_status_code()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body in parts. Raise TransportError if it ends early or stops arriving."""
        while True:
            parts, self._parts = self._parts, []
            for part in parts:
                yield part
            if self._done:
                return
            await self._feed()

    async def read(self, most: int) -> bytes:
        """Return the whole body, or its first `most` bytes. Raise TransportError."""
        return await first_bytes(self.body(), most)

    async def _feed(self) -> int:
        """Parse what arrives next. Return the number of bytes."""
        try:
            async with asyncio.timeout(self._seconds):
                data = await self._reader.read(READ_BYTES)
        except TimeoutError:
            raise DeadlineError(f"nothing arrived in {self._seconds:g} s") from None
        except OSError as error:
            raise BrokenError(f"connection lost: {error}") from error
        if not data:
            raise BrokenError("the connection was closed before the end of the reply")
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise MalformedReplyError(f"not an HTTP reply: {error}") from error
        return len(data)


class StreamingHttpClient(UpstreamHttpClient):
    """HTTP client whose replies can also be passed on while they arrive."""

    def stream(
        self, path: str, headers: bytes, seconds: float
    ) -> contextlib.AbstractAsyncContextManager[StreamedReply]:
        """GET `path` by `open_stream`, with a connection of its own."""
        return open_stream(self.address, path, headers, self.connect_seconds, seconds)


@contextlib.asynccontextmanager
async def open_stream(
    address: HttpAddress, path: str, headers: bytes, connect_seconds: float, seconds: float
) -> AsyncIterator[StreamedReply]:
    """GET `path`; each read may take `seconds`. `headers` are complete lines, each with CRLF.

    The connection is closed at the end, whether or not the body was read. Raise TransportError.
    """
    try:
        async with asyncio.timeout(connect_seconds):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=address.tls, limit=READ_BYTES
            )
    except TimeoutError:
        raise ConnectError(f"{address}: no connection in {connect_seconds:.3g} s") from None
    except OSError as error:
        raise ConnectError(f"{address}: {error.strerror or error}") from error
    try:
        head = b"connection: close\r\nhost: %s\r\n" % address.authority.encode()
        target = (address.base + path).encode()
        writer.write(b"".join((b"GET ", target, b" HTTP/1.1\r\n", head, headers, b"\r\n")))
        reply = StreamedReply(reader, seconds)
        await reply.read_head()
        yield reply
    finally:
        writer.transport.abort()
