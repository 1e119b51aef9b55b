"""Compression of responses by gzip or Brotli, as the `Accept-Encoding` header asks (RFC 9110).

Small bodies are sent as they are: a single fair price has fewer bytes than `SMALLEST`, and its
response takes no time for this. At these levels 300 kB of JSON take about 1 ms.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache

import brotli

from pokewatch.gateway.http.accept import weights_in

Header = tuple[bytes, bytes]

SMALLEST = 1_024
IN_THREAD = 262_144  # bytes above which compression would delay other requests
VARY: Header = (b"vary", b"accept-encoding")

_BROTLI, _GZIP, _IDENTITY = b"br", b"gzip", b""
_BROTLI_QUALITY = 4
GZIP_LEVEL = 4
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_TEXTS = (b"text/", b"application/json", b"application/problem+json", b"image/svg+xml")


def coding_for(headers: dict[bytes, bytes], size: int) -> bytes:
    """Return the coding for a text of `size` bytes: `br`, `gzip`, or "" to send it as it is."""
    accepted = headers.get(b"accept-encoding")
    return _IDENTITY if accepted is None or size < SMALLEST else _preferred(accepted)


@lru_cache(maxsize=256)
def _preferred(accepted: bytes) -> bytes:
    """Return the accepted coding of the largest weight; of equal ones Brotli, which is smaller."""
    weights = weights_in(accepted)
    others = weights.get(b"*", 0.0)
    best = max((_BROTLI, _GZIP), key=lambda coding: weights.get(coding, others))
    weight = weights.get(best, others)
    return best if 0 < weight >= weights.get(b"identity", 0.0) else _IDENTITY


def is_text(headers: Sequence[Header]) -> bool:
    """Return whether a response has a content type that compresses, and no coding yet."""
    kind = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value
        elif name == b"content-encoding":
            return False
    return kind.startswith(_TEXTS)


async def compressed(body: bytes, coding: bytes) -> bytes:
    """Return the body in a coding: in a thread if it is large."""
    if len(body) > IN_THREAD:
        return await asyncio.to_thread(_compressed, body, coding)
    return _compressed(body, coding)


async def compressed_parts(parts: AsyncIterator[bytes], coding: bytes) -> AsyncIterator[bytes]:
    """Yield the parts of a body in a coding. After an error in them the end is missing."""
    compressor = _StreamCompressor(coding)
    async for part in parts:
        large = len(part) > IN_THREAD
        packed = await asyncio.to_thread(compressor.add, part) if large else compressor.add(part)
        if packed:
            yield packed
    yield compressor.end()


class _StreamCompressor:
    """The two compressors by the same names: `add` returns what is ready, `end` the rest."""

    add: Callable[[bytes], bytes]
    end: Callable[[], bytes]

    def __init__(self, coding: bytes) -> None:
        if coding == _BROTLI:
            brotli_stream = brotli.Compressor(mode=brotli.MODE_TEXT, quality=_BROTLI_QUALITY)
            self.add, self.end = brotli_stream.process, brotli_stream.finish
        else:
            gzip_stream = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
            self.add, self.end = gzip_stream.compress, gzip_stream.flush


def _compressed(body: bytes, coding: bytes) -> bytes:
    if coding == _BROTLI:
        return bytes(brotli.compress(body, mode=brotli.MODE_TEXT, quality=_BROTLI_QUALITY))
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
    return compressor.compress(body) + compressor.flush()
