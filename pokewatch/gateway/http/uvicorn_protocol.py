"""HTTP/1.1 on uvicorn's protocol, hardened against malformed requests and slow clients."""

import asyncio
from typing import Any, NoReturn

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pokewatch.gateway.http.problems import MALFORMED, UNSUPPORTED, Kind, ProblemError
from pokewatch.gateway.http.responses import with_fast_send

MAX_HEAD_BYTES = 64 * 1024  # after the read in which the head begins
MAX_PIPELINED = 64
MIN_READ_RATE = 1_024  # bytes a second

_MAX_TARGET = 65_535  # bytes, for httptools
_MAX_LENGTH_DIGITS = 20  # of a Content-Length: those of the largest 64-bit number
_CLOSE = ((b"connection", b"close"),)
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_CHECKED_HEADERS = _FRAMING | {b"expect"}
# Proxies and applications do not agree on which of several values counts.
_SINGLE_HEADERS = frozenset(
    {b"host", b"x-api-key", b"authorization", b"content-type", b"origin", b"idempotency-key"}
)


class _NullParser:
    """Parser of a connection on which no more requests are accepted."""

    def feed_data(self, data: bytes) -> None:
        pass


class GuardedProtocol(HttpToolsProtocol):
    """Sends one response to every request, and closes connections that misuse the server.

    Protocols are not switched: an Upgrade is ignored, and the body belongs to that request
    (RFC 9110, 7.8). A request that is malformed, or framed in an unsupported way, gets its response
    in turn and is the last on its connection. A client that has half-closed its connection still
    gets its responses.

    A connection is closed when it is idle, or slow to send a request's headers: after
    `header_seconds` at first and where a body outlasts its response, else after uvicorn's
    keep-alive timeout. It is also closed when a head does not end, when too many requests are
    pipelined, and when responses are not read. uvicorn waits forever in these cases, keeps all
    data, and makes a timer for every response. Here a connection has one timer, renewed only when
    it fires, and another one while responses are not read.

    `error_app` is the application for requests that cannot be parsed: it responds with the scope's
    `pokewatch.problem`.
    """

    header_seconds = 10.0
    keeps_connections = True  # whether they stay open after a response
    error_app: Any
    _deadline: float | None = None  # None while a request is in progress
    _timer: asyncio.TimerHandle | None = None
    _head_bytes: int | None = None  # None outside of a head
    _write_timer: asyncio.TimerHandle | None = None
    _replaying_framing = False  # while a new parser reads the framing headers again
    _problem: ProblemError | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = with_fast_send(self.app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._close_after(self.header_seconds)

    def data_received(self, data: bytes) -> None:
        message = self.scope
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data, upgrade.args[0])
        except httptools.HttpParserError as error:
            self._stop_parsing(error)
        # How much of the read in which a head begins belongs to the head is unknown.
        if self._head_bytes is not None and self.scope is message:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.abort()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a half-closed connection open until all responses are sent (RFC 9112, 9.6)."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        if self.cycle.more_body:
            self._end_body_early()
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        if self._replaying_framing:
            return
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # httptools leaves the white space after a value, which is no part of it (RFC 9110, 5.5).
        name, value = name.lower(), value.rstrip(b" \t")
        if name in _CHECKED_HEADERS:
            self._check_header(name, value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._replaying_framing:
            self._replaying_framing = False
        else:
            self._deadline = self._head_bytes = None
            self._check_head()
            super().on_headers_complete()
            self.cycle.keep_alive &= self.keeps_connections
        # Trailers follow. They are not headers (RFC 9110, 6.5.1), so they get a list of their own.
        self.headers = []

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():  # the parser reads no body after an Upgrade
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()
        # A trailer may close the connection: the parser then ignores what follows.
        if self.headers and not self.parser.should_keep_alive():
            self.cycle.keep_alive = False
        if self.cycle.response_complete and not self.cycle.keep_alive:
            self.transport.close()

    def on_response_complete(self) -> None:
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._close_after(self.header_seconds if self.cycle.more_body else self.timeout_keep_alive)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        self._cancel_write_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._cancel_write_timer()
        super().connection_lost(exc)

    def _check_header(self, name: bytes, value: bytes) -> None:
        """Reject a header that decides how the body is read unless it is supported."""
        if name == b"expect":
            continues = value.lower() == b"100-continue" and self.parser.get_http_version() == "1.1"
            self.expect_100_continue |= continues
        elif name == b"content-length":
            if len(value) > _MAX_LENGTH_DIGITS:
                detail = f"the content-length has {len(value)} digits, at most "
                self._reject(MALFORMED, f"{detail}{_MAX_LENGTH_DIGITS} are allowed")
        elif self.parser.get_http_version() != "1.1":
            detail = "HTTP/1.0 does not support transfer-encoding: send a content-length"
            self._reject(MALFORMED, detail)
        elif value.lower() != b"chunked":
            coding = value[:80].decode("latin-1")
            detail = f"the transfer-encoding {coding!r} is not supported: "
            self._reject(UNSUPPORTED, f"{detail}send 'chunked' or a content-length")

    def _check_head(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            self.transport.abort()
            raise ConnectionAbortedError
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._reject(MALFORMED, f"HTTP/{version} is not supported: send HTTP/1.1")
        if self.parser.should_upgrade() and self.parser.get_method() == b"CONNECT":
            self._reject(UNSUPPORTED, "CONNECT is not supported: the gateway is not a proxy")
        names = {name for name, _ in self.headers}
        if b"host" not in names and version == "1.1":
            self._reject(MALFORMED, "the header host is missing: HTTP/1.1 requires it")
        if len(names) < len(self.headers):
            self._check_repeated()

    def _check_repeated(self) -> None:
        """Reject a request that has one of the single-valued headers twice."""
        names = [name for name, _ in self.headers]
        for name in _SINGLE_HEADERS:
            if names.count(name) > 1:
                self._reject(MALFORMED, f"the header {name.decode()} is sent twice: send it once")

    def _reject(self, kind: Kind, detail: str) -> NoReturn:
        """Stop the parser. The problem is stored because the parser drops the exception."""
        self._problem = ProblemError(kind, detail, headers=_CLOSE)
        raise self._problem

    def _ignore_upgrade(self, data: bytes, end: int) -> None:
        """Read the body that follows the head's `end`, where the parser expects another protocol.

        The parser has discarded the framing of the body, and stops where the connection is to be
        closed. A new one gets the framing headers in a head that does not count as a request.
        """
        framing = b"".join(
            b"%s: %s\r\n" % field for field in self.cycle.scope["headers"] if field[0] in _FRAMING
        )
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self._replaying_framing = True
        self.data_received(b"POST / HTTP/1.1\r\n%s\r\n" % framing)
        self.data_received(data[end:])  # at most MAX_PIPELINED deep

    def _stop_parsing(self, error: httptools.HttpParserError) -> None:
        """Send a problem after the responses to earlier requests, and parse no more requests."""
        is_head = self.parser.get_method() == b"HEAD"
        self.parser = _NullParser()  # type: ignore[assignment]
        self._deadline = self._head_bytes = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.more_body:
            self._end_body_early()
        else:
            cause = str(error)
            if isinstance(error, httptools.HttpParserCallbackError):  # of uvicorn
                too_long = f"the target is longer than {_MAX_TARGET:,} bytes"
                cause = too_long if len(self.url) > _MAX_TARGET else "the target has no path"
            detail = f"the request is not valid HTTP/1.1: {cause}"
            problem = self._problem or ProblemError(MALFORMED, detail, headers=_CLOSE)
            self._send_problem(problem, "HEAD" if is_head else "")

    def _end_body_early(self) -> None:
        """Have the application respond without the rest of the body, then close the connection.

        The application receives a disconnect; responses.py has its response sent all the same.
        """
        cycle = self.cycle
        cycle.keep_alive = False
        if cycle.response_complete:
            self.transport.close()
        elif not cycle.response_started:
            cycle.disconnected = True
            cycle.message_event.set()

    def _send_problem(self, problem: ProblemError, method: str) -> None:
        scope, before = self.scope, self.cycle
        scope["pokewatch.problem"] = problem  # type: ignore[typeddict-unknown-key]
        scope["method"], scope["path"], scope["query_string"] = method, "", b""
        self.cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        app: Any = with_fast_send(self.error_app)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.pipeline.appendleft((self.cycle, app))

    def _close_after(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._cancel_timer()
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._close_if_idle)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_if_idle(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        left = self._deadline - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._close_if_idle)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.close()

    def _start_write_timer(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(self.header_seconds, self._abort_if_unread, unread)

    def _abort_if_unread(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < MIN_READ_RATE * self.header_seconds:
            self.transport.abort()
        else:
            self._start_write_timer()

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
