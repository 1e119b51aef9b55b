"""The metrics port: what Prometheus reads, apart from the API's port and on its terms."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterable, Iterator
from copy import copy

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from pokewatch.errors import SettingsError

MOST_AT_ONCE = 4
SAMPLES_A_PIECE = 40
_FRESH_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_PAUSE = 0.05
_MOST_HEAD_BYTES = 8_192


class Exposition:
    """The metrics as text, made anew at most once a second.

    All of it at once would hold the event loop for 9 ms; made in pieces, requests are answered in between.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._making = asyncio.Lock()
        self._text = b""
        self._made = float("-inf")

    async def text(self) -> bytes:
        async with self._making:
            if time.monotonic() - self._made >= _FRESH_SECONDS:
                parts = []
                for piece in pieces(self._registry.collect()):
                    parts.append(piece)
                    await asyncio.sleep(0)
                self._text, self._made = b"".join(parts), time.monotonic()
        return self._text


def pieces(metrics: Iterable[Metric]) -> Iterator[bytes]:
    """Yield the text of `metrics`, each piece of at most SAMPLES_A_PIECE samples."""
    for metric in metrics:
        for start in range(0, max(len(metric.samples), 1), SAMPLES_A_PIECE):
            part = copy(metric)
            part.samples = metric.samples[start : start + SAMPLES_A_PIECE]
            text = generate_latest(_Collected(part))
            yield _without_comments(text) if start else text


class _Collected(Collector):
    """One metric that is collected already."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def _without_comments(text: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"#"))


class MetricsPort:
    """`GET /metrics` for a few scrapers. However many there are, the event loop gives them at most a hundredth of its time.

    MOST_AT_ONCE connections are answered at a time, and after each answer there is a pause; the others wait.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        self._exposition = Exposition(registry)
        self._host = host
        self._given_port = port
        self._socket: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen. Raise SettingsError where nothing can."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._host, self._given_port), family=family)
        except OSError as error:
            place = f"{self._host}:{self._given_port}"
            raise SettingsError(
                f"POKEWATCH_GATEWAY_METRICS_PORT: nothing can listen at {place}: {error.strerror}"
            ) from error
        self._socket.setblocking(False)
        self._tasks = [asyncio.create_task(self._serve(self._socket)) for _ in range(MOST_AT_ONCE)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    async def _serve(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # A scraper that goes away, or is too slow, asks again; so does one for whom there is no file descriptor.
            with contextlib.suppress(OSError, TimeoutError):
                connection, _ = await loop.sock_accept(listening)
                with connection:
                    connection.setblocking(False)
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await self._answer(connection)
            await asyncio.sleep(_PAUSE)

    async def _answer(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        head = b""
        while b"\r\n\r\n" not in head:
            received = await loop.sock_recv(connection, _MOST_HEAD_BYTES)
            head += received
            if not received or len(head) > _MOST_HEAD_BYTES:
                return
        target = head.partition(b"\r\n")[0].split(b" ")[:2]
        if target == [b"GET", b"/metrics"]:
            reply = _reply(b"200 OK", CONTENT_TYPE_LATEST.encode(), await self._exposition.text())
        else:
            reply = _reply(b"404 Not Found", b"text/plain", b"there is GET /metrics here\n")
        await loop.sock_sendall(connection, reply)


def _reply(status: bytes, kind: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    return head % (status, kind, len(body)) + body
