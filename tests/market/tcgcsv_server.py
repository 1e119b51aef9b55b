"""An HTTP server that behaves as TCGCSV does, and records each breach of its rules."""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from pokewatch.market.collect import collect, requested_days
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from tests.market.upstream import archive_bytes, archive_path, price

DAY_SECONDS = 24 * 3600.0
FIRST = date(2026, 11, 25)
CARDS = 10  # in each set
GROUPS = range(1, 22)
Answer = tuple[int, bytes]


class Time(Protocol):
    def now(self) -> datetime: ...


class Clock:
    """The time of a test: it passes only while the client sleeps, or when it is moved."""

    def __init__(self, start: datetime) -> None:
        self.time = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self.time

    def seconds(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.time += timedelta(seconds=seconds)


class WallClock:
    """The real time, for tests with several processes."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class TcgcsvServer:
    """TCGCSV with its archive closed, which blocks for ten minutes after a burst.

    `sets` are the price rows by (category, group); `failing` the times that a path answers 500.
    """

    def __init__(
        self, clock: Time, sets: Mapping[tuple[int, int], Sequence[Any]], latency: float = 0.0
    ) -> None:
        self.sets = dict(sets)
        self.failing: Counter[str] = Counter()
        self.forbidden: set[str] = set()
        self.absent: set[str] = set()
        self.bodies: dict[str, bytes] = {}  # answered instead
        self.archive_status = 403
        self.archives: dict[str, bytes] = {}
        self.retry_after: str | None = None  # of a block
        self.paths: list[str] = []
        self.answered: Counter[str] = Counter()
        self.breaches: list[str] = []
        self.late = timedelta()  # of the update of 20:05
        self.before: Callable[[str], None] = lambda _: None  # called before each answer
        self.url = ""
        self._clock = clock
        self._latency = latency
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._answers: defaultdict[str, float] = defaultdict(float)
        self._blocked_until = 0.0
        self._block_known = False

    def open_archive(self, day: date, sets: Mapping[tuple[int, int], Sequence[Any]]) -> None:
        self.archive_status = 404  # of other days
        self.archives[archive_path(day)] = archive_bytes(day, sets)

    def results(self, path: str, rows: Sequence[Any]) -> None:
        """Answer a page with `rows`."""
        self.bodies[path] = _envelope(rows)

    def block(self, seconds: float = 600.0) -> None:
        """Block requests; the client learns of it by the first refusal."""
        self._blocked_until = self._seconds() + seconds
        self._block_known = False

    def requested(self, ending: str) -> list[str]:
        return [path for path in self.paths if path.endswith(ending)]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        with self._lock:
            refused = self._refused(path, handler.headers.get("User-Agent", ""))
        self.before(path)
        time.sleep(self._latency)
        status, body = refused or self._page(path)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        if status == 429 and self.retry_after:
            handler.send_header("Retry-After", self.retry_after)
        handler.end_headers()
        if status == 200:
            with self._lock:
                self.answered[path] += 1
                self._answers[path] = self._seconds()
        handler.wfile.write(body)

    def _refused(self, path: str, agent: str) -> Answer | None:
        """Record the request and its breaches; return the refusal, if it is one."""
        now = self._seconds()
        gap = now - self._times[-1] if self._times else DAY_SECONDS
        self.paths.append(path)
        self._times.append(now)
        if not agent.startswith("PokeWatch/"):
            return self._breach(401, f"{path}: User-Agent {agent!r}")
        if now < self._blocked_until:
            if self._block_known:
                self._breach(429, f"{path}: requested during a block")
            self._block_known = True
            return 429, b""
        if gap < 0.1 - 1e-6:
            self.block()
            self._block_known = True
            return self._breach(429, f"{path}: {gap:.3f} s after another request")
        if sum(now - each < DAY_SECONDS for each in self._times) > 10_000:
            self._breach(429, f"{path}: over 10,000 requests in 24 hours")
        least = 0.0 if path == "/last-updated.txt" else DAY_SECONDS
        if now - self._answers[path] < least - 1e-6:
            self._breach(200, f"{path}: twice in 24 hours")
        return None

    def _breach(self, status: int, text: str) -> Answer:
        self.breaches.append(text)
        return status, b""

    def _page(self, path: str) -> Answer:
        if self.failing[path] > 0:
            self.failing[path] -= 1
            return 500, b""
        if path in self.bodies:
            return 200, self.bodies[path]
        if path in self.forbidden | self.absent:
            return 403 if path in self.forbidden else 404, b""
        parts = path.strip("/").split("/")
        if parts[0] == "archive":
            found = self.archives.get(path)
            return (200, found) if found else (self.archive_status, b"closed")
        if parts == ["last-updated.txt"]:
            return 200, self._last_update().isoformat().encode()
        if parts[-1] == "groups":
            groups = sorted(group for category, group in self.sets if category == int(parts[1]))
            return 200, _envelope([{"groupId": each, "name": f"Set {each}"} for each in groups])
        rows = self.sets.get((int(parts[1]), int(parts[2])))
        if rows is None:
            return 404, b""
        if parts[-1] == "products":
            ids = sorted({row["productId"] for row in rows})
            return 200, _envelope([{"productId": each, "name": f"Card {each}"} for each in ids])
        return 200, _envelope(rows)

    def _last_update(self) -> datetime:
        now = self._clock.now().astimezone(UTC)
        updated = now.replace(hour=20, minute=5, second=0, microsecond=0) + self.late
        return updated if updated <= now else updated - timedelta(days=1)

    def _seconds(self) -> float:
        return self._clock.now().timestamp()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up or is killed is nothing to print."""


@contextmanager
def serving(server: TcgcsvServer) -> Iterator[TcgcsvServer]:
    """Serve on a free port; `url` is the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the body follows the headers at once

        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    listening = _Server(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(
        target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def day_sets(change: float = 0.0, category: int = 3) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """Return the sets of one category, with prices that rise by `change`."""
    return {
        (category, group): [
            price(10_000 * category + 100 * group + n, n + change) for n in range(1, CARDS + 1)
        ]
        for group in GROUPS
    }


def run(source: TcgcsvSource, lake: Lake, clock: Clock, days: int = 1) -> CollectReport:
    """Collect the last `days` days."""
    wanted = requested_days(source, None, None, days)
    return collect(source, lake, wanted, today=clock.now().date())


def _envelope(rows: Sequence[Any]) -> bytes:
    return json.dumps({"success": True, "errors": [], "results": list(rows)}).encode()
