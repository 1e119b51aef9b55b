"""Prometheus metrics on a port of their own."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterable, Iterator
from copy import copy

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from pokewatch.gateway.listening import listen

MAX_CONNECTIONS = 4
CHUNK_SAMPLES = 40
_CACHE_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
_MAX_HEAD_BYTES = 8_192


class Exposition:
    """The metrics as text, generated at most once a second.

    Generating all of it at once would block the event loop for 9 ms. It is done in chunks, so that
    requests are served in between.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._lock = asyncio.Lock()
        self._text = b""
        self._generated_at = float("-inf")

    async def text(self) -> bytes:
        async with self._lock:
            if time.monotonic() - self._generated_at >= _CACHE_SECONDS:
                parts = []
                for chunk in chunks(self._registry.collect()):
                    parts.append(chunk)
                    await asyncio.sleep(0)
                self._text, self._generated_at = b"".join(parts), time.monotonic()
        return self._text


def chunks(metrics: Iterable[Metric]) -> Iterator[bytes]:
    """Yield the text of `metrics` in chunks of at most CHUNK_SAMPLES samples."""
    for metric in metrics:
        for start in range(0, max(len(metric.samples), 1), CHUNK_SAMPLES):
            part = copy(metric)
            part.samples = metric.samples[start : start + CHUNK_SAMPLES]
            text = generate_latest(_SingleMetric(part))
            yield _without_comments(text) if start else text


class _SingleMetric(Collector):
    """Collector of one metric that has been collected already."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def _without_comments(text: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"#"))


class MetricsServer:
    """A minimal HTTP server for `GET /metrics`.

    It serves MAX_CONNECTIONS connections at a time, with a pause after each response; others wait.
    However many clients there are, it takes at most a hundredth of the event loop's time.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        self._exposition = Exposition(registry)
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """Return the port that the server listens on, once started."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def listen(self) -> None:
        """Listen, unless it does already. Raise SettingsError if the address is not available."""
        if self._socket is not None:
            return
        variables = "POKEWATCH_GATEWAY_METRICS_HOST", "POKEWATCH_GATEWAY_METRICS_PORT"
        self._socket = listen(self._host, self._port, *variables)
        self._socket.setblocking(False)

    async def start(self) -> None:
        """Respond to requests. Raise SettingsError as `listen` does."""
        self.listen()
        assert self._socket is not None
        self._tasks = [
            asyncio.create_task(self._serve(self._socket)) for _ in range(MAX_CONNECTIONS)
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    async def _serve(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # A client that disconnects or is too slow retries, also if file descriptors run out.
            with contextlib.suppress(OSError, TimeoutError):
                connection, _ = await loop.sock_accept(listening)
                with connection:
                    connection.setblocking(False)
                    async with asyncio.timeout(_TIMEOUT_SECONDS):
                        await self._respond(connection)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _respond(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        head = b""
        while b"\r\n\r\n" not in head:
            received = await loop.sock_recv(connection, _MAX_HEAD_BYTES)
            head += received
            if not received or len(head) > _MAX_HEAD_BYTES:
                return
        target = head.partition(b"\r\n")[0].split(b" ")[:2]
        if target == [b"GET", b"/metrics"]:
            response = _response(
                b"200 OK", CONTENT_TYPE_LATEST.encode(), await self._exposition.text()
            )
        else:
            response = _response(b"404 Not Found", b"text/plain", b"not found: use GET /metrics\n")
        await loop.sock_sendall(connection, response)


def _response(status: bytes, content_type: bytes, body: bytes) -> bytes:
    head = (
        b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head % (status, content_type, len(body)) + body
