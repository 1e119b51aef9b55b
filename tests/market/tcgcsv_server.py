"""A server that enforces TCGCSV's rules, and records each breach of them."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx


class Clock:
    """The time of a test: it passes only while the client sleeps, or when it is moved."""

    def __init__(self, start: datetime) -> None:
        self.time = start

    def now(self) -> datetime:
        return self.time

    def seconds(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class TcgcsvServer:
    """A transport with the archive closed: 401 without User-Agent, and a block for bursts.

    `sets` are the price rows by (category, group); `failing` the times that a path answers 500.
    """

    def __init__(
        self, clock: Clock, sets: Mapping[tuple[int, int], Sequence[Any]], pause: float = 0.1
    ) -> None:
        self.sets = dict(sets)
        self.failing: Counter[str] = Counter()
        self.archive_status = 403
        self.paths: list[str] = []
        self.breaches: list[str] = []
        self.before: Callable[[str], None] = lambda _: None  # called before each answer
        self._clock = clock
        self._pause = pause
        self._last: float | None = None
        self._answered: dict[str, float] = {}
        self._blocked_until = 0.0

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, now = request.url.path, self._clock.seconds()
        self.paths.append(path)
        self.before(path)
        if not request.headers.get("User-Agent", "").startswith("PokeWatch/"):
            self.breaches.append(f"{path}: no User-Agent")
            return httpx.Response(401)
        if self._last is not None and now - self._last < self._pause - 1e-6:
            self.breaches.append(f"{path}: {now - self._last:.3f} s after another request")
            self._blocked_until = now + 600
        self._last = now
        if now < self._blocked_until:
            return httpx.Response(429)
        if now - self._answered.get(path, 0.0) < 24 * 3600 - 1e-6:
            self.breaches.append(f"{path}: twice in 24 hours")
        if self.failing[path] > 0:
            self.failing[path] -= 1
            return httpx.Response(500)
        status, body = self._page(path)
        self._answered[path] = now
        return httpx.Response(status, text=body)

    def _page(self, path: str) -> tuple[int, str]:
        parts = path.strip("/").split("/")
        if parts[0] == "archive":
            return self.archive_status, "closed"
        if parts == ["last-updated.txt"]:
            updated = self._clock.now().astimezone(UTC).replace(hour=20, minute=5)
            if updated > self._clock.now():
                updated -= timedelta(days=1)
            return 200, updated.isoformat()
        if parts[-1] == "groups":
            groups = [group for category, group in self.sets if category == int(parts[1])]
            return 200, _envelope([{"groupId": each, "name": f"Set {each}"} for each in groups])
        rows = self.sets.get((int(parts[1]), int(parts[2])))
        if rows is None:
            return 404, ""
        if parts[-1] == "products":
            ids = sorted({row["productId"] for row in rows})
            return 200, _envelope([{"productId": each, "name": f"Card {each}"} for each in ids])
        return 200, _envelope(rows)


def _envelope(rows: Sequence[Any]) -> str:
    return json.dumps({"success": True, "errors": [], "results": list(rows)})
