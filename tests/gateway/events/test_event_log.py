"""The event log: what is in it, and what is not."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry, Counter

from pokewatch.gateway.events import event_log
from pokewatch.gateway.events.event_log import NO_EXPERIMENT, Arm, EventLog
from pokewatch.settings import EventSettings
from tests.gateway.conftest import Gateway, gateway_at
from tests.polling import eventually
from tests.serving.server import Server


@dataclass(frozen=True)
class Key:
    id: str

    def allows(self, scope: str) -> bool:
        return True


def files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.parquet"))


def read(folder: Path) -> list[dict[str, Any]]:
    """Return all events of a folder."""
    return [row for path in folder.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]


def counter() -> Counter:
    return Counter("events", "Events.", ("result",), registry=CollectorRegistry())


def counts(found: Counter) -> dict[str, float]:
    (family,) = found.collect()
    return {
        each.labels["result"]: each.value for each in family.samples if each.name[-6:] == "_total"
    }


def log(
    folder: Path, count: int, callers: int = 1, arm: Arm = NO_EXPERIMENT, **settings: Any
) -> dict[str, float]:
    """Log `count` events by a process that stops in order; return the counts."""
    found = counter()

    async def run() -> None:
        events = EventLog(folder, EventSettings.read(**settings), found)
        for number in range(count):
            offered = 9.5 if number % 2 else None
            events.add(Key(f"k{number % callers}"), arm, "m", "card", offered, "BUY", "7")
        events.add(None, NO_EXPERIMENT, "m", "card", None, "BUY", "7")
        await events.close()

    asyncio.run(run())
    return counts(found)


def test_an_event_has_the_answer_and_nothing_of_the_caller(tmp_path: Path) -> None:
    assert log(tmp_path, 2) == {"written": 2}
    shown, judged = read(tmp_path)
    assert shown == {
        "day": shown["day"],
        "kind": "exposure",
        "experiment": "",
        "arm": "champion",
        "session": shown["session"],
        "market": "m",
        "card_id": "card",
        "offered": None,
        "signal": "BUY",
        "model_version": "7",
    }
    assert judged == shown | {"kind": "outcome", "offered": 9.5}
    assert re.fullmatch("[0-9a-f]{16}", shown["session"])
    [path] = tmp_path.rglob("*.parquet")
    assert path.parent.name == f"date={shown['day']}"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_callers_stay_in_one_session(tmp_path: Path) -> None:
    log(tmp_path, 200, callers=20, arm=Arm("deploy-3", "challenger"))
    rows = read(tmp_path)
    assert len({row["session"] for row in rows}) == 20
    assert {(row["experiment"], row["arm"]) for row in rows} == {("deploy-3", "challenger")}
    assert "k1" not in str(rows)


def test_sessions_are_new_every_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        events = EventLog(tmp_path, EventSettings.read(), counter())
        for day in (20_000, 20_000, 20_001):
            monkeypatch.setattr(time, "time", lambda day=day: day * 86_400.0 + 5)
            events.add(Key("k"), NO_EXPERIMENT, "m", "card", None, "HOLD", "7")
        await events.close()

    asyncio.run(run())
    rows = read(tmp_path)
    assert sorted(str(row["day"]) for row in rows) == ["2024-10-04", "2024-10-04", "2024-10-05"]
    assert len({row["session"] for row in rows}) == 2
    folders = {path.parent.name for path in tmp_path.rglob("*.parquet")}
    assert folders == {"date=2024-10-04", "date=2024-10-05"}


def test_events_beyond_the_buffer_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "MAX_BUFFERED", 5)
    assert log(tmp_path, 8) == {"rate": 3, "written": 5}
    assert len(read(tmp_path)) == 5


def test_a_full_log_takes_no_more(tmp_path: Path) -> None:
    (tmp_path / "date=2026-01-01").mkdir()
    (tmp_path / "date=2026-01-01" / "old.parquet").write_bytes(bytes(1_048_576))
    assert log(tmp_path, 3, events_mb=1) == {"size": 3}
    assert log(tmp_path, 3, events_mb=2) == {"written": 3}


def test_a_failed_write_is_counted_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "events").write_text("in the way")
    assert log(tmp_path / "events", 3) == {"failed": 3}
    assert "events were lost" in caplog.text


def test_a_file_is_written_while_the_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "FLUSH_SECONDS", 0.01)

    async def run() -> None:
        events = EventLog(tmp_path, EventSettings.read(), counter())
        for _ in range(2):
            events.add(Key("k"), NO_EXPERIMENT, "m", "card", None, "HOLD", "7")
            before = len(files(tmp_path))
            for _ in range(500):
                if len(files(tmp_path)) > before:
                    break
                await asyncio.sleep(0.01)

    asyncio.run(run())
    assert len(files(tmp_path)) == len(read(tmp_path)) == 2


WRITE_FOREVER = """
import sys
from pathlib import Path
from pokewatch.gateway.events.event_log import Event, write_events
event = Event(20_000, "exposure", "", "champion", "s", "m", "card", None, "BUY", "7")
while True:
    write_events(Path(sys.argv[1]), [event] * 500, 1 << 40)
"""


def test_writers_at_once_and_a_kill_leave_whole_files(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)]
    writers = [subprocess.Popen(command) for _ in range(2)]
    eventually(lambda: len(files(tmp_path)), lambda found: found > 20, every=0.02)
    for each in writers:
        each.kill()
        each.wait()
    for path in files(tmp_path):
        assert pq.read_table(path).num_rows == 500


@pytest.fixture
def logged(
    mlserver: Server, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Gateway], None]], list[dict[str, Any]]]:
    """Return a function that runs a gateway for some requests, and returns the events."""

    def run(ask: Callable[[Gateway], None]) -> list[dict[str, Any]]:
        monkeypatch.setenv("POKEWATCH_EVENTS", "true")
        with gateway_at(mlserver.url, tmp_path, pages="key") as gateway:
            # Before its first poll the gateway does not know the market, nor do the events.
            eventually(lambda: gateway.get("/ready", key="").status_code, lambda code: code == 200)
            ask(gateway)
        return read(home / "events")

    return run


def test_answers_of_the_api_and_the_pages_are_events(
    logged: Callable[[Callable[[Gateway], None]], list[dict[str, Any]]],
) -> None:
    def ask(gateway: Gateway) -> None:
        for _ in range(2):  # the second is from the cache
            assert gateway.post("/fair_price", {"card_id": "card_1"}).status_code == 200
        offer = {"card_id": "card_2", "market_price": 1.5}
        assert gateway.post("/fair_price", offer).status_code == 200
        assert gateway.post("/fair_price", {"card_id": "no_card"}).status_code == 404
        cards = [{"card_id": "card_3"}, {"card_id": "no_card"}, offer, {"card_id": 5}]
        assert gateway.post("/fair_price/batch", {"cards": cards}).status_code == 200
        html = {"Accept": "text/html"}
        for _ in range(2):
            page = gateway.get("/cards/card_4?price=2.5", headers=html)
            assert page.status_code == 200, page.text

    rows = logged(ask)
    found = sorted((row["card_id"], row["kind"], row["offered"]) for row in rows)
    assert found == [
        ("tcgplayer-1-normal", "exposure", None),
        ("tcgplayer-1-normal", "exposure", None),
        ("tcgplayer-2-normal", "outcome", 1.5),
        ("tcgplayer-2-normal", "outcome", 1.5),
        ("tcgplayer-3-normal", "exposure", None),
        ("tcgplayer-4-normal", "exposure", None),
        ("tcgplayer-4-normal", "exposure", None),
        ("tcgplayer-4-normal", "outcome", 2.5),
        ("tcgplayer-4-normal", "outcome", 2.5),
    ]
    assert len({row["session"] for row in rows}) == 1
    assert {(row["model_version"], row["market"]) for row in rows} == {("7", "simulated-0")}


def test_a_page_that_is_made_again_for_another_model_is_one_exposure(
    logged: Callable[[Callable[[Gateway], None]], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask(gateway: Gateway) -> None:
        poller = gateway.app.assembly.markets.first.poller
        monkeypatch.setattr(poller, "served_versions", lambda: {("8", "dv-2")})
        page = gateway.get("/cards/card_4?price=2.5", headers={"Accept": "text/html"})
        assert page.status_code == 200

    rows = logged(ask)
    assert sorted(row["kind"] for row in rows) == ["exposure", "outcome"]


def test_it_is_off_by_default(mlserver: Server, tmp_path: Path, home: Path) -> None:
    with gateway_at(mlserver.url, tmp_path) as gateway:
        assert gateway.post("/fair_price", {"card_id": "card_1"}).status_code == 200
    assert not (home / "events").exists()
