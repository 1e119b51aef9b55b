"""The interfaces of the connection to the models, which is HTTP or within the process."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pokewatch.gateway.upstream.http_client import Reply


async def first_bytes(parts: AsyncIterator[bytes], most: int) -> bytes:
    """Return what arrives, or its first `most` bytes. Raise what `parts` raises."""
    found = b""
    async for part in parts:
        found += part
        if len(found) >= most:
            break
    return found[:most]


class ArrivingReply(Protocol):
    """A reply whose head has arrived. Header names are in lower case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[bytes, bytes]: ...

    def body(self) -> AsyncIterator[bytes]:
        """Yield the body in parts. Raise TransportError if it ends early or stops arriving."""
        ...

    async def read(self, most: int) -> bytes:
        """Return the whole body, or its first `most` bytes. Raise TransportError."""
        ...


class Sender(Protocol):
    """Requests to the paths of the model server. `headers` are complete lines, each with CRLF."""

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        """POST a JSON body, or GET if it is None. Raise TransportError."""
        ...


class Transport(Sender, Protocol):
    """Requests whose replies can also be passed on while they arrive."""

    def stream(
        self, path: str, headers: bytes, seconds: float
    ) -> AbstractAsyncContextManager[ArrivingReply]:
        """GET `path`; each part may take `seconds`. Raise TransportError."""
        ...

    def close(self) -> None: ...
