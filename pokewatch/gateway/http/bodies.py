"""Request bodies: read within limits of size and time, then decoded into typed models."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from math import isinf
from typing import TypeVar

import msgspec
from starlette.types import Receive

from pokewatch.gateway.http.deadlines import Deadlines
from pokewatch.gateway.http.faults import fault_in
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import (
    MALFORMED,
    MEDIA_TYPE,
    NOT_JSON,
    SLOW_REQUEST,
    TOO_LARGE,
    ProblemError,
)

Model = TypeVar("Model")

# A V2 request of 1,000 rows to `decision`, whose seven inputs are shaped [n, 1], has 14,000.
MAX_VALUES = 16_000
MAX_COLLECTION_VALUES = 200_000  # eleven for each of 10,000 lines, and commas in their names

CSV = b"text/csv"

_JSON = b"application/json"
_FORM = b"application/x-www-form-urlencoded"
_CLOSE = ((b"connection", b"close"),)
_TRUNCATED = "Input data was truncated"
_HALF_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u)")
_BYTE_ORDER_MARKS = (BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE)
_DISCARDED_BYTES = 4 * 1024 * 1024  # as much as a proxy in front of the gateway lets through


class BodyReader:
    """Reads request bodies of at most `max_bytes` that arrive within `seconds`."""

    _subject = "the body"  # of the detail of a problem

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._deadlines = Deadlines(seconds, error=lambda: _too_slow(seconds))

    async def read_bytes(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Return the whole body.

        Raise ProblemError with 413 where it is too large, 408 where it takes too long, and 400
        where the client disconnects.
        """
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._max_bytes:
            if length.isdigit() and int(length) <= _DISCARDED_BYTES and b"expect" not in headers:
                with self._deadlines:
                    await self._discard(receive)
            raise self._too_large()
        with self._deadlines:
            body = await self._receive(receive)
        if len(body) > self._max_bytes:
            raise self._too_large()
        return body

    async def _discard(self, receive: Receive) -> None:
        """Read the body, and keep nothing of it.

        A proxy that is still sending when the connection is closed, as Envoy is, reads no response
        and responds with 503.
        """
        while (await receive()).get("more_body"):
            pass

    def _too_large(self) -> ProblemError:
        detail = f"{self._subject} exceeds the limit of {self._max_bytes:,} bytes"
        return ProblemError(TOO_LARGE, detail, headers=_CLOSE)

    async def _receive(self, receive: Receive) -> bytes:
        """Return the body, or as much of it as exceeds the limit."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _incomplete()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return body
        parts, size, more = [body], len(body), True
        while more and size <= self._max_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _incomplete()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
        return b"".join(parts)


class Bodies(BodyReader):
    """Reads JSON bodies."""

    async def read(self, context: RequestContext, receive: Receive) -> bytes:
        """Return the whole body.

        Raise ProblemError with 415 unless it is plain JSON, 413 where it has too many values, and
        as `read_bytes` does.
        """
        headers = context.headers
        if headers.get(b"content-type") != _JSON or b"content-encoding" in headers:
            _check_type(headers, optional=context.route.startswith("/v2/"))
        body = await self.read_bytes(headers, receive)
        _check_values(body, MAX_VALUES)
        return body


class CollectionBodies(BodyReader):
    """Reads collections: JSON, or with `csv` the CSV file of an app."""

    def __init__(self, max_bytes: int, seconds: float, *, csv: bool) -> None:
        super().__init__(max_bytes, seconds)
        self._allowed = (_JSON, CSV) if csv else (_JSON,)

    async def read(self, context: RequestContext, receive: Receive) -> bytes:
        """Return the whole body. Raise ProblemError as `Bodies` does."""
        _check_type(context.headers, optional=False, allowed=self._allowed)
        body = await self.read_bytes(context.headers, receive)
        if not context.headers[b"content-type"].lower().startswith(CSV):
            _check_values(body, MAX_COLLECTION_VALUES)
        return body


class FormBodies(BodyReader):
    """Reads the bodies of HTML forms."""

    async def read(self, context: RequestContext, receive: Receive) -> bytes:
        """Return the whole body. Raise ProblemError with 415 or as `read_bytes` does."""
        given = context.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if given != _FORM or b"content-encoding" in context.headers:
            raise ProblemError(MEDIA_TYPE, f"expected a form, {_FORM.decode()}", headers=_CLOSE)
        return await self.read_bytes(context.headers, receive)


def _incomplete() -> ProblemError:
    detail = "the connection ended before the whole body arrived"
    return ProblemError(MALFORMED, detail, headers=_CLOSE)


def _check_values(body: bytes, most: int) -> None:
    """Raise ProblemError (413) where decoding would make more than `most` objects.

    Every value but the first of its array or object follows a comma. Punctuation inside strings
    counts as well: to exclude it, the body would have to be decoded.
    """
    if len(body) > most and sum(map(body.count, (b",", b"[", b"{"))) > most:
        raise ProblemError(TOO_LARGE, f"the body exceeds the limit of {most} values")


def _too_slow(seconds: float) -> ProblemError:
    detail = f"the body did not arrive within {seconds:g} s"
    return ProblemError(SLOW_REQUEST, detail, headers=_CLOSE)


def _check_type(
    headers: dict[bytes, bytes], optional: bool, allowed: tuple[bytes, ...] = (_JSON,)
) -> None:
    """Raise ProblemError (415) unless the body is uncompressed and of an allowed type.

    `optional` allows no content type at all: tritonclient sends none.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    named = b" or ".join(allowed).decode()
    if not kind and not optional:
        raise ProblemError(MEDIA_TYPE, f"the content type is missing: send {named}")
    if kind not in (b"", *allowed):
        detail = f"the content type {kind.decode('latin-1')!r} is not supported: "
        raise ProblemError(MEDIA_TYPE, detail + f"send {named}")
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.lower() != b"identity":
        detail = f"the content encoding {coding.decode('latin-1')!r} is not supported: "
        raise ProblemError(MEDIA_TYPE, detail + "send the body uncompressed")


def decode(decoder: Callable[[bytes], Model], body: bytes) -> Model:
    """Return the body as a model.

    Raise ProblemError with 400 where it is not JSON, and with 422 and a pointer where a value is
    not allowed.
    """
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        raise fault_in(body, error, getattr(decoder, "__self__", None)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(NOT_JSON, _syntax_fault(body, error)) from None


def _syntax_fault(body: bytes, error: Exception) -> str:
    if not body.strip():
        return "the body is empty: send JSON"
    if body.startswith(_BYTE_ORDER_MARKS):
        return "the body begins with a byte order mark: send UTF-8 without one"
    try:
        body.decode()
    except UnicodeDecodeError as fault:
        return f"the body is not UTF-8 (byte {fault.start})"
    if isinstance(error, RecursionError):
        return "the values of the body are nested too deeply"
    reason = str(error).removeprefix("JSON is malformed: ")
    if reason == _TRUNCATED:
        # The body may be whole, and end soon after half of a pair.
        half = _HALF_PAIR.search(body)
        found = f"half of a surrogate pair (byte {half.start()})" if half else ""
        reason = found or "it ends in the middle of a value"
    return f"the body is not valid JSON: {reason}"


def finite_float(text: str) -> float:
    """Return a JSON number that has a fraction or an exponent. Raise ValueError if it is infinite.

    The `float_hook` of decoders: msgspec's own reading takes 9 us for numbers like 1e308, this one
    0.3 us.
    """
    value = float(text)
    if isinf(value):
        raise ValueError("Number out of range")
    return value
