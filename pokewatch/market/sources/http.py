"""An HTTP client for price sources: paced, limited in time and size, with retries.

Every failure is a SourceError with the source, the URL without credentials or query, and the cause.
"""

import io
import random
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import tenacity

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.sources import parsing
from pokewatch.market.sources.content_coding import ACCEPTED, ContentCodingError, decoded
from pokewatch.market.sources.request_gate import RequestGate, retry_after
from pokewatch.market.sources.request_store import DAY_SECONDS, NotSentError

USER_AGENT = "PokeWatch/0.1 (trading-card price watch; each page once a day)"
_MOST_REDIRECTS = 3
_SHORTEST_KEY = 8
# From 520 on: of proxies such as Cloudflare, whose server does not answer.
_BUSY = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of time in seconds and size in bytes, and the number of attempts."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 120.0  # of one attempt, from request to last byte
    attempts: int = 4
    longest_wait: float = 60.0  # between attempts, even if Retry-After is longer
    max_bytes: int = 64 << 20
    pause: float = 0.0  # minimum time between two requests
    block: float | None = None  # after 429 Too Many Requests without Retry-After


class _TransientError(Exception):
    """A temporary failure. `retry_after` is the wait requested by the server, in seconds."""

    def __init__(
        self, cause: str, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(cause)
        self.retry_after = retry_after
        self.status = status


@dataclass
class HttpClient:
    """GET with retries. `headers` may hold a key; `hints` explain status codes to the user.

    `gate` sets the pace and counts the requests, retries and redirects among them; by default it
    is one of the client's own, with the pause of `limits`. `transport`, `sleep` and `clock` are
    replaced in tests.
    """

    source: str
    limits: HttpLimits = field(default_factory=HttpLimits)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hints: Mapping[int, str] = field(default_factory=dict)
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    gate: RequestGate | None = None

    def __post_init__(self) -> None:
        self._client = httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPTED, **self.headers},
            timeout=httpx.Timeout(self.limits.read, connect=self.limits.connect),
            limits=httpx.Limits(max_connections=2),
            event_hooks={"request": [self._start], "response": [self._end, self._check_redirect]},
            transport=self.transport,
        )
        self._gate = self.gate or RequestGate(self.limits.pause)
        weakref.finalize(self, self._client.close)

    def text(self, url: str, params: Mapping[str, str] | None = None) -> str:
        """Return the body as text. Raise MissingAtSourceError for 404, else SourceError."""
        body = io.BytesIO()
        self._fetch(url, params, body)
        return body.getvalue().decode("utf-8-sig", errors="replace")

    def json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the body as JSON. Raise SourceError with the start of a body that is not JSON."""
        text = self.text(url, params)
        try:
            return parsing.parse_json(text)
        except (ValueError, RecursionError):
            raise self._failure(url, parsing.not_json(self.without_secrets(text))) from None

    def without_secrets(self, text: str) -> str:
        """Return `text` without the key, which a server may repeat in its refusal."""
        for word in " ".join(self.headers.values()).split():
            if len(word) >= _SHORTEST_KEY:
                text = text.replace(word, "***")
        return text

    def download(self, url: str, path: Path) -> None:
        """Save the body as `path`, which appears complete or not at all."""
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as file:
                self._fetch(url, None, file)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _fetch(self, url: str, params: Mapping[str, str] | None, body: BinaryIO) -> None:
        try:
            for attempt in self._retrying():
                with attempt, self._mapped(url):
                    body.seek(0)
                    body.truncate()
                    self._attempt(url, params, body)
        except _TransientError as error:
            cause = f"{error}; gave up after {self.limits.attempts} attempts"
            raise self._failure(url, cause, error.status) from None

    def _failure(self, url: str, cause: str, status: int | None = None) -> SourceError:
        """Return the error of a request: the answer may repeat the key anywhere, even in a path."""
        kind = MissingAtSourceError if status == httpx.codes.NOT_FOUND else SourceError
        address = self.without_secrets(shown(url))
        return kind(self.source, address, self.without_secrets(cause), status)

    def _attempt(self, url: str, params: Mapping[str, str] | None, body: BinaryIO) -> None:
        request = self._client.build_request("GET", url, params=params)
        with self._gate.turn():
            started = self.clock()
            response = self._send(request)
        with closing(response):
            self._check_status(response)
            self._check_size(int(response.headers.get("Content-Length") or 0), url)
            size = 0
            coding = response.headers.get("Content-Encoding", "")
            for piece in decoded(response.iter_raw(), coding, self.limits.max_bytes):
                size += len(piece)
                self._check_size(size, url)
                if self.clock() - started > self.limits.total:
                    raise _TransientError(
                        f"the answer was not complete after {self.limits.total:g} s"
                    )
                body.write(piece)

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and follow its redirects, whose bodies are not read."""
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                response = self._client.send(request, stream=True)
                if response.next_request is None:
                    return response
                response.close()
                request = response.next_request
            raise httpx.TooManyRedirects(f"more than {_MOST_REDIRECTS} redirects", request=request)
        except httpx.TransportError:
            self._gate.end(self.clock)  # the server may have received it
            raise

    def _start(self, _: httpx.Request) -> None:
        self._gate.start(self.sleep, self.clock)

    def _end(self, _: httpx.Response) -> None:
        self._gate.end(self.clock)

    def _check_redirect(self, response: httpx.Response) -> None:
        """Raise SourceError for a redirect to another origin, which would receive the key."""
        if not response.has_redirect_location:
            return
        requested = response.request.url
        try:
            target = requested.join(response.headers["Location"])
        except (httpx.InvalidURL, ValueError):
            raise self._failure(str(requested), "redirects to an invalid URL") from None
        if _origin(target) != _origin(requested) or target.userinfo:
            cause = (
                f"redirects to {shown(str(target))}; redirects to another scheme, host or port "
                "are not followed: if the source has moved, set its new URL"
            )
            raise self._failure(str(requested), cause)

    def _check_status(self, response: httpx.Response) -> None:
        status = f"answered {response.status_code} {response.reason_phrase}".strip()
        if response.status_code in self.hints:
            status += f": {self.hints[response.status_code]}"
        if response.status_code in _BUSY:
            wait = self._requested_wait(response)
            if wait is not None and wait > self.limits.longest_wait:
                asks = "asks for" if "Retry-After" in response.headers else "requires"
                length = f"{wait:.0f} s" if wait <= DAY_SECONDS else "over a day"
                cause = (
                    f"{status} and {asks} a wait of {length}, longer than the "
                    f"{self.limits.longest_wait:.0f} s allowed: try again later"
                )
                raise self._failure(str(response.url), cause, response.status_code)
            raise _TransientError(status, wait, response.status_code)
        if not response.is_success:
            raise self._failure(str(response.url), status, response.status_code)

    def _requested_wait(self, response: httpx.Response) -> float | None:
        """Return the seconds to wait after `response`; after 429 all requests wait."""
        wait = retry_after(response.headers.get("Retry-After"))
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            wait = self.limits.block if wait is None else wait
            if wait is not None:
                self._gate.block(wait)
        return wait

    def _check_size(self, size: int, url: str) -> None:
        if size > self.limits.max_bytes:
            cause = f"the answer is larger than {self.limits.max_bytes:,} bytes"
            raise self._failure(url, cause)

    @contextmanager
    def _mapped(self, url: str) -> Iterator[None]:
        """Raise the errors of httpx as _TransientError, worth another attempt, or SourceError."""
        try:
            yield
        except NotSentError as error:
            raise self._failure(url, str(error), httpx.codes.TOO_MANY_REQUESTS) from None
        except httpx.TimeoutException as error:
            raise _TransientError(_timeout_text(error, self.limits)) from None
        except ContentCodingError as error:
            raise _TransientError(str(error)) from None
        except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError) as error:
            raise _TransientError(f"connection failed: {error or type(error).__name__}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            cause = str(error) or type(error).__name__
            raise self._failure(url, f"the request failed: {cause}") from None

    def _retrying(self) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(self.limits.attempts),
            wait=self._wait,
            sleep=self.sleep,
            reraise=True,
        )

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wait = error.retry_after if isinstance(error, _TransientError) else None
        backoff = 0.5 * 2 ** (state.attempt_number - 1) * (1 + random.random())
        return min(
            wait + random.random() if wait is not None else backoff, self.limits.longest_wait
        )


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def shown(url: str) -> str:
    """Return `url` without user, password and query, which may hold secrets."""
    try:
        return str(httpx.URL(url).copy_with(username=None, password=None, query=None))
    except httpx.InvalidURL:
        return "(invalid URL)"


def _timeout_text(error: httpx.TimeoutException, limits: HttpLimits) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {limits.connect:g} s"
    return f"no answer within {limits.read:g} s"
