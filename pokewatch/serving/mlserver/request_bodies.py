"""Limits on REST request bodies. MLServer reads and unpacks any size (SeldonIO/MLServer#444)."""

import asyncio
import zlib

from fastapi import HTTPException
from mlserver.rest.requests import Request

_GZIP = 16 + zlib.MAX_WBITS
_GZIPPED = (b"content-encoding", b"gzip")


def limited_request(max_bytes: int, max_seconds: float) -> type[Request]:
    """Return a Request class whose body must arrive in time and be small enough once unpacked."""

    class LimitedRequest(Request):  # type: ignore[misc]  # MLServer ships no types
        async def body(self) -> bytes:
            if not hasattr(self, "_body"):
                body = await _read(self, max_bytes, max_seconds)
                gzipped = _GZIPPED in self.scope["headers"]
                self._body = _unpack(body, max_bytes) if gzipped else body
            return self._body

    return LimitedRequest


async def _read(request: Request, max_bytes: int, max_seconds: float) -> bytes:
    chunks, size = [], 0
    try:
        async with asyncio.timeout(max_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise HTTPException(413, f"the request body is larger than {max_bytes} bytes")
                chunks.append(chunk)
    except TimeoutError:
        raise HTTPException(
            408, f"the request body did not arrive within {max_seconds:g} s"
        ) from None
    return b"".join(chunks)


def _unpack(body: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise HTTPException(400, f"the request body is not gzip: {error}") from None
    if len(content) > max_bytes:
        raise HTTPException(413, f"the request body is larger than {max_bytes} bytes once unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise HTTPException(400, "the request body is not a single complete gzip stream")
    return content
