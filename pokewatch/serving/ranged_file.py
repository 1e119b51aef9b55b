"""A response with a file or one range of its bytes (RFC 9110, 13 and 14).

Starlette's FileResponse takes quadratic time for many ranges up to 0.49 (CVE-2025-62727), and
MLServer pins 0.46. A request for several ranges gets the whole file here, as the RFC allows.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))")


class Span(NamedTuple):
    """The bytes from `start` up to `end`, exclusive."""

    start: int
    end: int


class RangedFile(Response):
    """The file at `path`, whose strong entity tag is `tag`, without quotes."""

    def __init__(self, path: Path, tag: str, media_type: str) -> None:
        self.path = path
        self.tag = f'"{tag}"'
        self.media_type = media_type
        self.background = None
        self.status_code = 200
        self.init_headers({"etag": self.tag, "accept-ranges": "bytes"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file. Raise OSError where it has become shorter meanwhile."""
        headers = Headers(scope=scope)
        async with await anyio.open_file(self.path, "rb") as file:
            size = os.fstat(file.wrapped.fileno()).st_size
            status, span = select(headers, self.tag, size, scope["method"])
            self._set_headers(status, span, size)
            start = {"type": "http.response.start", "status": status, "headers": self.raw_headers}
            await send(start)
            await file.seek(span.start)
            left = 0 if scope["method"] == "HEAD" else span.end - span.start
            while left:
                chunk = await file.read(min(_CHUNK, left))
                if not chunk:
                    raise OSError(f"{self.path} ended before its {size:,} bytes were sent")
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _set_headers(self, status: int, span: Span, size: int) -> None:
        if status == 304:
            return
        self.headers["content-length"] = str(span.end - span.start)
        if status == 206:
            self.headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{size}"
        elif status == 416:
            self.headers["content-range"] = f"bytes */{size}"


def select(headers: Headers, tag: str, size: int, method: str) -> tuple[int, Span]:
    """Return the status of the response, and which bytes of the file it has.

    Only GET has ranges (RFC 9110, 14.2).
    """
    whole = Span(0, size)
    if _matches(", ".join(headers.getlist("if-none-match")), tag):
        return 304, Span(0, 0)
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or method != "GET" or headers.get("if-range", tag) != tag:
        return 200, whole
    if match["suffix"]:
        count = min(int(match["suffix"]), size)
        return (206, Span(size - count, size)) if count else (416, Span(0, 0))
    first = int(match["first"])
    last = min(int(match["last"] or size - 1), size - 1)
    if first >= size:
        return 416, Span(0, 0)
    return (206, Span(first, last + 1)) if first <= last else (200, whole)


def _matches(if_none_match: str, tag: str) -> bool:
    given = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return bool(given & {tag, "*"})
