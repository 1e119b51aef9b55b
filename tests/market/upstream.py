"""A real HTTP server for tests, with configurable answers and faults."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import py7zr

PPMD = [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 24}]


@dataclass
class Reply:
    """`cut` closes after so many body bytes, `stall` never answers, `chunked` has no length."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False
    chunked: bool = False


@dataclass
class Request:
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is nothing to print."""


class Upstream:
    """Answers by path: one Reply, or a list in turn, the last one repeated; else 404."""

    def __init__(self) -> None:
        self.routes: dict[str, Reply | list[Reply] | Callable[[Request], Reply]] = {}
        self.requests: list[Request] = []
        self.stalled = threading.Event()
        self.released = threading.Event()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # the body follows the headers at once

            def do_GET(self) -> None:
                upstream.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._lock = threading.Lock()

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def json(self, path: str, body: Any) -> None:
        self.routes[path] = Reply(
            json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )

    def results(self, path: str, rows: Sequence[Any]) -> None:
        self.json(
            path, {"totalItems": len(rows), "success": True, "errors": [], "results": list(rows)}
        )

    def archive(self, day: date, groups: Mapping[tuple[int, int], Sequence[Any]]) -> None:
        self.routes[archive_path(day)] = Reply(archive_bytes(day, groups))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        request = Request(parts.path, parse_qs(parts.query), dict(handler.headers))
        with self._lock:
            self.requests.append(request)
            route = self.routes.get(parts.path, Reply(b"no such page", 404))
            if isinstance(route, list):
                route = route.pop(0) if len(route) > 1 else route[0]
        reply = route(request) if callable(route) else route
        if reply.stall:
            self.stalled.set()
            self.released.wait(60)
            handler.close_connection = True
            return
        _send(handler, reply)


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if reply.chunked:
        handler.send_header("Connection", "close")
        handler.close_connection = True
    else:
        handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    try:
        handler.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
    except OSError:
        handler.close_connection = True  # the client had enough
    if reply.cut is not None:
        handler.close_connection = True


@contextmanager
def running() -> Iterator[Upstream]:
    upstream = Upstream()
    thread = threading.Thread(
        target=upstream.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield upstream
    finally:
        upstream.released.set()
        upstream.server.shutdown()
        upstream.server.server_close()
        thread.join()


def archive_path(day: date) -> str:
    return f"/archive/tcgplayer/prices-{day}.ppmd.7z"


def archive_bytes(day: date, groups: Mapping[tuple[int, int], Sequence[Any]]) -> bytes:
    """An archive of one day as TCGCSV publishes them: {(category, group): price rows}."""
    bodies = {
        f"{day}/{category}/{group}/prices": json.dumps(
            {"success": True, "errors": [], "results": list(rows)}
        )
        for (category, group), rows in groups.items()
    }
    return seven_zip({name: body.encode() for name, body in bodies.items()})


def seven_zip(members: Mapping[str, bytes], filters: list[dict[str, int]] | None = None) -> bytes:
    buffer = BytesIO()
    with py7zr.SevenZipFile(buffer, "w", filters=filters or PPMD) as archive:
        for name, body in members.items():
            archive.writestr(body, name)
    return buffer.getvalue()


def price(
    product: int, market: Any = 10.0, printing: Any = "Normal", **others: Any
) -> dict[str, Any]:
    """A price row as TCGCSV has them."""
    row = {
        "productId": product,
        "lowPrice": 8.0,
        "midPrice": 11.0,
        "highPrice": 20.0,
        "marketPrice": market,
    }
    return row | {"directLowPrice": None, "subTypeName": printing} | others


class Sleeps:
    """Stands for time: `sleep` passes it at once, `now` tells it."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self._start = time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)

    def now(self) -> float:
        return time.monotonic() + sum(self.taken)
