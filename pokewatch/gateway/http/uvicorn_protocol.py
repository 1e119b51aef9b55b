"""HTTP/1.1 on uvicorn's protocol: one answer to every request, whatever it is made of and however it comes.

Slow clients are ended, and an answer that is there as a whole goes out in one piece.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pokewatch.gateway.http.problems import MALFORMED, UNSUPPORTED, ProblemError
from pokewatch.gateway.http.responses import whole

MOST_HEAD_BYTES = 64 * 1024  # beyond the read in which it begins
MOST_PIPELINED = 64
SLOWEST_READER = 1_024  # bytes a second


_LONGEST_LENGTH = 20  # digits of a Content-Length: all that 64 bits can count
_CLOSE = ((b"connection", b"close"),)
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_NOTEWORTHY = _FRAMING | {b"expect"}


class _Deaf:
    """The parser of a connection whose requests have come to an end."""

    def feed_data(self, data: bytes) -> None:
        pass


class GuardedProtocol(HttpToolsProtocol):
    """Gives every request one answer, and ends connections that cost without being used.

    Protocols are not switched: an Upgrade is ignored and the body read as that request's (RFC 9110,
    7.8). What is not well-formed, or framed in a way that is not supported, is answered in its turn
    and is the last on its connection. A client that has ended its side gets the answers it has
    asked for.

    Connections are ended when they are idle, or slow to send a request's headers: after
    `header_seconds`, and uvicorn's keep-alive from then on; when a head has no end, when request
    after request comes without waiting for an answer, and when answers are not read. uvicorn waits
    forever and keeps all of it, and makes a timer for every answer. Here a connection has one
    timer, moved on only when it ends, and another one while it has answers that are not read.

    `refused` is the application for what is no request: it answers with the scope's
    `pokewatch.problem`.
    """

    header_seconds = 10.0
    refused: Any
    _due: float | None = None  # None while a request is on its way
    _timer: asyncio.TimerHandle | None = None
    _head_bytes: int | None = None  # None outside of a head
    _unread_timer: asyncio.TimerHandle | None = None
    _framing_again = False  # while the parser is told once more how the body is framed
    _problem: ProblemError | None = None

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.app = whole(self.app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end_in(self.header_seconds)

    def data_received(self, data: bytes) -> None:
        message = self.scope
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data, upgrade.args[0])
        except httptools.HttpParserError as error:
            self._end_requests(error)
        # Of the read in which a head begins nobody knows how much of it is head.
        if self._head_bytes is not None and self.scope is message:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self.transport.abort()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection of a client that sends no more until it has its answers (RFC 9112, 9.6)."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        if self.cycle.more_body:
            self._cut_short()
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        if self._framing_again:
            return
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _NOTEWORTHY:
            value = self._checked(name, value.strip(b" \t"))
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._framing_again:
            self._framing_again = False
        else:
            self._due = self._head_bytes = None
            self._check_head()
            super().on_headers_complete()
        # What comes after the body are trailers: they go to a list that nobody reads, for a trailer is no header (RFC 9110, 6.5.1).
        self.headers = []

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():  # the head was all that the parser reads of it
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()
        # A trailer may have said so: the parser ignores what follows.
        if self.headers and not self.parser.should_keep_alive():
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.transport.close()

    def on_response_complete(self) -> None:
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._end_in(self.timeout_keep_alive)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        self._release_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._release()
        self._release_reader()
        super().connection_lost(exc)

    def _checked(self, name: bytes, value: bytes) -> bytes:
        """The value of a header on which the reading of the body depends."""
        if name == b"expect":
            self.expect_100_continue |= value.lower() == b"100-continue"
        elif name == b"content-length":
            if len(value) > _LONGEST_LENGTH:
                self._reject(
                    ProblemError(
                        MALFORMED, f"the content-length has {len(value)} digits", headers=_CLOSE
                    )
                )
        elif self.parser.get_http_version() != "1.1":
            self._reject(
                ProblemError(
                    MALFORMED,
                    "HTTP/1.0 has no transfer-encoding: send a content-length",
                    headers=_CLOSE,
                )
            )
        elif value.lower() != b"chunked":
            coding = value[:80].decode("latin-1")
            detail = f"the transfer-encoding {coding!r} is not supported: send 'chunked' or a content-length"
            self._reject(ProblemError(UNSUPPORTED, detail, headers=_CLOSE))
        return value

    def _check_head(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            self.transport.abort()
            raise ConnectionAbortedError
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._reject(
                ProblemError(
                    MALFORMED,
                    f"HTTP/{version} is not supported here: send HTTP/1.1",
                    headers=_CLOSE,
                )
            )
        if self.parser.should_upgrade() and self.parser.get_method() == b"CONNECT":
            self._reject(
                ProblemError(
                    UNSUPPORTED, "CONNECT is not supported: this is no proxy", headers=_CLOSE
                )
            )

    def _reject(self, problem: ProblemError) -> None:
        """Stop the parser, which keeps nothing of an exception but that there was one."""
        self._problem = problem
        raise problem

    def _ignore_upgrade(self, data: bytes, end: int) -> None:
        """Read the body that follows the head's `end`, where the parser expects another protocol.

        The parser has forgotten how the body is framed, and reads no more where the connection is
        not kept. A new one learns it from a head that is no request of its own.
        """
        framing = b"".join(
            b"%s: %s\r\n" % field for field in self.cycle.scope["headers"] if field[0] in _FRAMING
        )
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self._framing_again = True
        self.data_received(b"POST / HTTP/1.1\r\n%s\r\n" % framing)
        self.data_received(data[end:])  # at most MOST_PIPELINED deep

    def _end_requests(self, error: httptools.HttpParserError) -> None:
        """Answer what the parser could not read, after all that came before it, and read no more."""
        is_head = self.parser.get_method() == b"HEAD"
        self.parser = _Deaf()  # type: ignore[assignment]
        self._due = self._head_bytes = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.more_body:
            self._cut_short()
        else:
            # uvicorn's on_headers_complete fails where the target has no path.
            callback = isinstance(error, httptools.HttpParserCallbackError)
            cause = "its target has no path" if callback else str(error)
            detail = f"the request is not well-formed HTTP/1.1: {cause}"
            problem = self._problem or ProblemError(MALFORMED, detail, headers=_CLOSE)
            self._refuse(problem, "HEAD" if is_head else "")

    def _cut_short(self) -> None:
        """Have the newest request answered without the rest of its body, and close.

        The application receives a disconnect; see responses.py for how its answer is sent all the same.
        """
        cycle = self.cycle
        cycle.keep_alive = False
        if cycle.response_complete:
            self.transport.close()
        elif not cycle.response_started:
            cycle.disconnected = True
            cycle.message_event.set()

    def _refuse(self, problem: ProblemError, method: str) -> None:
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
        self.cycle.more_body = False
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.refused)
        else:
            self.pipeline.appendleft((self.cycle, self.refused))

    def _end_in(self, seconds: float) -> None:
        self._due = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._due:
            self._release()
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._end_if_due)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_if_due(self) -> None:
        self._timer = None
        if self._due is None:
            return
        left = self._due - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._end_if_due)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.close()

    def _watch_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._unread_timer = self.loop.call_later(self.header_seconds, self._end_if_unread, unread)

    def _end_if_unread(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < SLOWEST_READER * self.header_seconds:
            self.transport.abort()
        else:
            self._watch_reader()

    def _release_reader(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
