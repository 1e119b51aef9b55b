"""The alerts that a gateway judges by itself, and their page."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pokewatch.gateway import alerts
from pokewatch.gateway.alerts import Alert, Alerts
from pokewatch.gateway.http.problems import WATCHES_UNAVAILABLE, ProblemError, unavailable
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.breaker import State
from tests.conftest import ROOT
from tests.gateway.clock import Clock
from tests.gateway.conftest import Gateway
from tests.gateway.web.pages import BROWSER, page, words
from tests.monitoring.rulebook import alerts as rules

NOON = 1_767_787_200.0  # 2026-01-07, 12:00 UTC


class Watched:
    """Alerts of a gateway whose state the test sets."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.clock = Clock(NOON)
        self.served = SimpleNamespace(last_day="2026-01-06", created_at="2026-01-07T02:10:00+00:00")
        self.poller = cast(Any, SimpleNamespace(problem=None, served=self.served))
        self.keys = cast(Any, SimpleNamespace(current=True))
        self.failed: int | ProblemError | None = 0  # None: it hangs
        self.backends = [SimpleNamespace(name="", id="simulated-0", poller=self.poller)]
        markets = SimpleNamespace(backends=self.backends, several=lambda: len(self.backends) > 1)
        self.alerts = Alerts(self.metrics, cast(Any, markets), self.keys, self._failed, self.clock)

    async def _failed(self) -> int:
        if isinstance(self.failed, ProblemError):
            raise self.failed
        if self.failed is None:
            await asyncio.sleep(5)
        return self.failed or 0

    def answer(self, count: int, status: int = 200, seconds: float = 0.01, path: str = "/") -> None:
        for _ in range(count):
            self.metrics.requests.add(path, "GET", status, seconds)

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds / alerts.RECORD_SECONDS)):
            self.clock.now += alerts.RECORD_SECONDS
            self.alerts.record()

    def current(self) -> list[Alert]:
        return asyncio.run(self.alerts.current())

    def texts(self) -> str:
        return " | ".join(each.text for each in self.current())


def test_nothing_is_wrong_with_a_gateway_that_answers() -> None:
    watched = Watched()
    watched.answer(5_000)
    watched.answer(500, 404)
    watched.answer(5, 500)
    watched.pass_time(60)
    assert watched.current() == []


def test_a_fault_of_one_of_several_markets_names_it() -> None:
    watched = Watched()
    old = SimpleNamespace(last_day="2026-01-01", created_at="2026-01-02T02:10:00+00:00")
    stale = SimpleNamespace(problem=None, served=old)
    away = SimpleNamespace(problem=unavailable("it is down"), served=None)
    watched.backends += [
        SimpleNamespace(name="magic-tcgplayer-usd", id="magic-tcgplayer-usd", poller=stale),
        SimpleNamespace(name="file-trend", id="file-trend", poller=away),
    ]
    assert [each.text.partition(":")[0].partition(",")[0] for each in watched.current()] == [
        "The model server of file-trend cannot be used",
        "The newest prices of magic-tcgplayer-usd are of 2026-01-01",
        "The price book of magic-tcgplayer-usd was made 5 days ago",
    ]
    assert [each.command for each in watched.current()[1:]] == [
        "pokewatch doctor",
        "pokewatch pipeline run --market magic-tcgplayer-usd",
    ]
    del watched.backends[0], watched.backends[1]
    assert watched.current()[1].command == "pokewatch pipeline run --market magic-tcgplayer-usd"
    watched.backends[0].name = ""
    assert (
        watched.current()[1].command == "pokewatch pipeline run --source tcgcsv --categories GAMES"
    )


def test_failing_requests_alert_until_they_are_minutes_ago() -> None:
    watched = Watched()
    watched.answer(500)
    watched.answer(9, 503)
    assert watched.texts() == ""
    watched.answer(1, 500)
    watched.answer(100, 500, path="/ready")
    assert "10 of the 510 requests of the last hour failed" in watched.texts()
    watched.pass_time(400)
    watched.answer(100)
    assert watched.texts() == ""
    watched.answer(50, 502)
    assert "60 of the 660 requests" in watched.texts()
    watched.pass_time(2 * alerts.HOUR)
    watched.answer(50, 502)
    assert "50 of the 50 requests of the last hour failed" in watched.texts()


def test_slow_requests() -> None:
    watched = Watched()
    watched.answer(3, seconds=0.15)
    watched.answer(9, seconds=0.2)
    assert watched.texts() == ""
    watched.answer(1, seconds=3.0)
    assert "10 of the 13 requests of the last hour took longer than 150 ms" in (watched.texts())


def test_load_keys_and_redis() -> None:
    watched = Watched()
    watched.metrics.limited.labels("load").inc(7)
    watched.metrics.limited.labels("key").inc(70)
    watched.metrics.keyless.inc(301)
    watched.metrics.limiter_fallbacks.inc()
    watched.keys.current = False
    found = watched.texts()
    assert "requests turned away in the last minutes: 7" in found
    assert "301 requests of the last ten minutes had no valid key" in found
    assert "The API keys cannot be read" in found
    assert "Redis does not answer" in found
    watched.pass_time(700)
    watched.keys.current = True
    assert watched.texts() == ""


def test_the_model_server_and_its_data() -> None:
    watched = Watched()
    watched.poller.problem = unavailable("nobody answers at http://127.0.0.1:1")
    watched.metrics.upstream_state.labels("fair-price", "").set(State.OPEN)
    watched.metrics.upstream_state.labels("decision", "").set(State.HALF_OPEN)
    watched.served.last_day, watched.served.created_at = "2026-01-05", "2026-01-06T05:59:00+00:00"
    found = [each.text for each in watched.current()]
    assert [text.partition(":")[0] for text in found] == [
        "The model server cannot be used",
        "Calls of fair-price to the model server keep failing and are held back",
        "The price book was made 30 hours ago",
    ]
    watched.clock.now += 30 * 3_600
    assert "of 2026-01-05, which ended 3 days ago" in watched.texts()
    watched.served.created_at = "yesterday"
    assert "price book" not in watched.texts()
    watched.poller.served = None
    assert "newest prices" not in watched.texts()


def test_notifications_of_watches() -> None:
    watched = Watched()
    watched.failed = 1
    assert watched.texts() == "1 notification of watches failed since yesterday"
    watched.failed = ProblemError(WATCHES_UNAVAILABLE, "away")
    assert watched.texts() == "The database of watches does not answer"


def test_a_database_of_watches_that_hangs_does_not_hold_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alerts, "DATABASE_SECONDS", 0.01)
    watched = Watched()
    watched.failed = None
    assert watched.texts() == "The database of watches does not answer"


def test_sections_of_the_runbook_and_limits_are_those_of_the_rules() -> None:
    source = Path(alerts.__file__).read_text()
    named = set(re.findall(r'^ +"([A-Z]\w+[A-Z]\w+)",$', source, re.MULTILINE))
    assert len(named) == 7
    assert named <= set(rules())
    for section in named:
        assert f"\n## {section}\n" in (ROOT / "docs" / "runbook.md").read_text()
    expression = rules()["AvailabilityBurnFast"]["expr"]
    assert "> 14.4 * 0.001" in expression
    assert ">= 10" in expression
    routes = re.search(r'route!~"([^"]+)"', expression)
    assert routes is not None
    assert routes[1] == alerts._UNCOUNTED.pattern.replace("\\", "")
    assert "> 14.4 * 0.05" in rules()["LatencyBurnFast"]["expr"]
    assert f"> {alerts.MAX_KEYLESS}" in rules()["KeyGuessing"]["expr"]


def test_the_page_of_the_status_shows_them(gateway: Gateway) -> None:
    fine = words(page(gateway.get("/status", key="", headers=BROWSER)))
    assert "Signals may be wrong" in fine  # the prices of the test book are old
    assert "StaleData in docs/runbook.md" in fine
    gateway.app.assembly.metrics.limited.labels("load").inc()
    text = words(page(gateway.get("/status", key="", headers=BROWSER)))
    assert "requests turned away in the last minutes: 1" in text
    assert "<code>" not in text
