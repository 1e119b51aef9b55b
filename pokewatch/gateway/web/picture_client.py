"""Downloads of card pictures, whose addresses come from a catalogue that is not trusted.

Only https, only named hosts, and only public network addresses, which are checked on the address
that is connected to: a name that resolves to another one afterwards changes nothing. No redirect
is followed. The type of a picture is that of its first bytes.
"""

import asyncio
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address
from socket import SOCK_STREAM
from urllib.parse import SplitResult, urlsplit

import httptools

from pokewatch.watches.address_guard import IpAddress, is_public

MAX_BYTES = 512 * 1024
MAX_HEAD_BYTES = 16 * 1024
SECONDS = 10.0
_CHUNK = 64 * 1024
_SIGNATURES = (
    (b"\xff\xd8\xff", b"image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", b"image/png"),
    (b"GIF8", b"image/gif"),
)


class PictureError(Exception):
    """A picture that cannot be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The content of a picture and its media type."""

    content: bytes
    kind: bytes


class PictureClient:
    """Downloads pictures from `hosts`, each a name, or a name and a port other than 443.

    `allowed` decides which network addresses may be connected to.
    """

    def __init__(
        self,
        hosts: Collection[str],
        context: ssl.SSLContext | None = None,
        allowed: Callable[[IpAddress], bool] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._context = context or ssl.create_default_context()
        self._allowed = allowed or is_public
        self._seconds = seconds

    async def fetch(self, url: str) -> Picture:
        """Return the picture at `url`. Raise PictureError."""
        address = self._checked(url)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._download(address)
        except TimeoutError:
            raise PictureError(f"no picture within {self._seconds:g} s") from None
        except (OSError, ssl.SSLError) as error:
            raise PictureError(f"no connection: {error}") from None

    def _checked(self, url: str) -> SplitResult:
        try:
            address = urlsplit(url)
            address.port  # noqa: B018  # raises ValueError for a malformed one
        except ValueError as error:
            raise PictureError(f"malformed address: {error}") from None
        plain = url.isascii() and url.isprintable() and " " not in url
        if not plain or address.scheme != "https":
            raise PictureError("the address is not https")
        if address.netloc.lower() not in self._hosts:
            raise PictureError(f"{address.netloc[:80]!r} is not one of the hosts of pictures")
        return address

    async def _download(self, address: SplitResult) -> Picture:
        reader, writer = await self._connect(address.hostname or "", address.port or 443)
        try:
            path = (address.path or "/") + (f"?{address.query}" if address.query else "")
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUser-Agent: PokeWatch\r\n"
                "Accept: image/*\r\nConnection: close\r\n\r\n".encode("ascii")
            )
            return await _Response().read(reader)
        finally:
            writer.transport.abort()

    async def _connect(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first network address of a host that is allowed and accepts.

        Each has its share of the time. Raise PictureError, OSError or TimeoutError.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=SOCK_STREAM)
        places = [str(place[0]) for *_, place in found]
        places = [each for each in places if self._allowed(ip_address(each.partition("%")[0]))]
        failure: Exception = PictureError(f"{host} has no public network address")
        for place in places:
            try:
                async with asyncio.timeout(self._seconds / len(places)):
                    return await asyncio.open_connection(
                        place, port, ssl=self._context, server_hostname=host
                    )
            except OSError as error:  # TimeoutError too
                failure = error
        raise failure


class _Response:
    """A response as `httptools` reports it. Raise PictureError where it is no picture."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._content = bytearray()
        self._in_body = self._complete = False

    async def read(self, reader: asyncio.StreamReader) -> Picture:
        head = 0
        while not self._complete and (data := await reader.read(_CHUNK)):
            head += 0 if self._in_body else len(data)
            try:
                self._parser.feed_data(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade):
                raise PictureError("the reply is not HTTP") from None
            if self._in_body and self._parser.get_status_code() != 200:
                raise PictureError(f"the reply has status {self._parser.get_status_code()}")
            if len(self._content) > MAX_BYTES or (head > MAX_HEAD_BYTES + _CHUNK):
                raise PictureError(f"the reply exceeds {MAX_BYTES:,} bytes")
        if not self._complete:
            raise PictureError("the reply is incomplete")
        content = bytes(self._content)
        return Picture(content, picture_kind(content))

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._content += body

    def on_message_complete(self) -> None:
        self._complete = True


def picture_kind(content: bytes) -> bytes:
    """Return the media type of a picture. Raise PictureError for anything else."""
    for signature, kind in _SIGNATURES:
        if content.startswith(signature):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return b"image/webp"
    raise PictureError("the reply is not a JPEG, PNG, WebP or GIF picture")
