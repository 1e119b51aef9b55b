"""Request bodies: read with caps and a deadline, decoded into typed models, faults told by JSON pointer."""

import re
from collections.abc import Awaitable, Callable
from math import isinf
from typing import TypeVar

import msgspec
from starlette.types import Receive

from pokewatch.gateway.http.deadlines import Deadlines
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import (
    MALFORMED,
    MEDIA_TYPE,
    NOT_JSON,
    SLOW_REQUEST,
    TOO_LARGE,
    ProblemError,
    invalid,
)

Model = TypeVar("Model")

# A V2 request of 1,000 rows to `decision`, whose seven inputs are shaped [n, 1], has 14,000.
MOST_VALUES = 16_000

_JSON = b"application/json"
_CLOSE = ((b"connection", b"close"),)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_MEMBER = re.compile(r"Object (?:missing required|contains unknown) field `([^`]*)`")


class Bodies:
    """Reads bodies of at most `most` bytes that arrive within `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._deadlines = Deadlines(seconds, late=lambda: _too_slow(seconds))

    def read(self, exchange: RequestContext, receive: Receive) -> Awaitable[bytes]:
        """The whole body. Raises ProblemError: 415 unless it is plain JSON, 413 where it is too large, 408 where it is too slow."""
        return self._deadlines.bounded(self._read(exchange, receive))

    async def _read(self, exchange: RequestContext, receive: Receive) -> bytes:
        headers = exchange.headers
        if headers.get(b"content-type") != _JSON or b"content-encoding" in headers:
            _check_type(headers, untyped=exchange.route.startswith("/v2/"))
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._most:
            raise _too_large(self._most)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _cut_off()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body = await self._whole(body, receive)
        if len(body) > self._most:
            raise _too_large(self._most)
        _check_values(body)
        return body

    async def _whole(self, first: bytes, receive: Receive) -> bytes:
        """The body that begins with `first`, or as much of it as tells that it is too large."""
        parts, size, more = [first], len(first), True
        while more and size <= self._most:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _cut_off()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
        return b"".join(parts)


def _cut_off() -> ProblemError:
    return ProblemError(MALFORMED, "the body ended before it was whole", headers=_CLOSE)


def _too_large(most: int) -> ProblemError:
    return ProblemError(TOO_LARGE, f"a body may have {most} bytes", headers=_CLOSE)


def _check_values(body: bytes) -> None:
    """Raise ProblemError (413) where decoding would make more than MOST_VALUES objects.

    Every value but the first of its list or object follows a comma. Punctuation inside strings counts as well: to tell it
    apart is to decode.
    """
    if len(body) > MOST_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ProblemError(TOO_LARGE, f"a body may have {MOST_VALUES} values")


def _too_slow(seconds: float) -> ProblemError:
    return ProblemError(
        SLOW_REQUEST, f"the body did not arrive within {seconds:g} s", headers=_CLOSE
    )


def _check_type(headers: dict[bytes, bytes], untyped: bool) -> None:
    """V2 clients (tritonclient) send no type at all, so `untyped` allows that."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != _JSON and not (untyped and not kind):
        raise ProblemError(
            MEDIA_TYPE,
            f"the body must be application/json, not {kind.decode('latin-1') or 'untyped'!r}",
        )
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.lower() != b"identity":
        raise ProblemError(
            MEDIA_TYPE,
            f"the body must not be compressed (content-encoding is {coding.decode('latin-1')!r})",
        )


def decode(decoder: Callable[[bytes], Model], body: bytes) -> Model:
    """The body as a model. Raises ProblemError: 400 where it is not JSON, 422 with a pointer where a value is not allowed."""
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        raise fault(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(NOT_JSON, f"the body is not JSON: {error}") from None


def fault(error: msgspec.ValidationError) -> ProblemError:
    """Return the problem (422) of a value that its model refuses."""
    return invalid(*located(str(error)))


def finite_float(text: str) -> float:
    """Return a JSON number that has a fraction or an exponent. Raise ValueError where it is infinite.

    The `float_hook` of decoders: msgspec's own reading takes 9 us for numbers like 1e308, this one 0.3.
    """
    value = float(text)
    if isinf(value):
        raise ValueError("Number out of range")
    return value


def located(message: str) -> tuple[str, str]:
    """A msgspec message as (JSON pointer, what is wrong): "... - at `$.cards[3].date`" points at /cards/3/date."""
    detail, found, path = message.replace(" - at `key` in `$", " - at `$").rpartition(" - at `$")
    if not found:
        detail, path = message, ""
    steps = [name or index for name, index in _STEP.findall(path.removesuffix("`"))]
    member = _MEMBER.match(detail)
    if member is not None:
        steps.append(member[1][:80])
        detail = "is required" if "missing" in detail else "is not a field"
    return "".join(
        "/" + step.replace("~", "~0").replace("/", "~1") for step in steps
    ), detail.replace(r"\\A", "^").replace(r"\\Z", "$")
