import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from pokewatch.market.sources.http import HttpClient
from pokewatch.market.sources.request_gate import RequestGate
from pokewatch.market.sources.request_store import BlockedError, RequestStore


class Ticks:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.mark.parametrize("shared", [False, True], ids=["one gate", "a gate for each process"])
def test_all_threads_have_one_pace(tmp_path: Path, shared: bool) -> None:
    ticks, starts, under_way = Ticks(), list[float](), threading.Lock()

    def answer(_: httpx.Request) -> httpx.Response:
        assert under_way.acquire(blocking=False), "two requests at once"
        starts.append(ticks.now())
        ticks.sleep(0.02)  # the request is on its way
        under_way.release()
        return httpx.Response(200, content=iter(()))

    store = RequestStore(tmp_path / "requests.sqlite")
    gate = RequestGate(0.1)
    transport = httpx.MockTransport(answer)

    def fetch(_: int) -> None:
        own = RequestGate(0.1, store, 100) if shared else gate
        HttpClient("test", transport=transport, sleep=ticks.sleep, clock=ticks.now, gate=own).text(
            "http://example.test/a"
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fetch, range(12)))

    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert len(gaps) == 11
    assert min(gaps) >= 0.12 - 1e-9


def test_redirects_and_retries_are_paced_and_counted(tmp_path: Path) -> None:
    ticks, starts = Ticks(), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        starts.append(ticks.now())
        if request.url.path == "/a":
            return httpx.Response(302, headers={"Location": "/b"})
        return httpx.Response(500 if len(starts) == 2 else 200, content=iter(()))

    store = RequestStore(tmp_path / "requests.sqlite")
    gate = RequestGate(5.0, store, 100, ticks.now)
    HttpClient(
        "test",
        transport=httpx.MockTransport(answer),
        sleep=ticks.sleep,
        clock=ticks.now,
        gate=gate,
    ).text("http://example.test/a")

    assert len(starts) == gate.sent == store.requests(ticks.now()) == 4
    assert all(after - before >= 5 for before, after in itertools.pairwise(starts))


def test_a_short_block_is_waited_for_and_a_long_one_refused(tmp_path: Path) -> None:
    ticks, store = Ticks(), RequestStore(tmp_path / "requests.sqlite")
    RequestGate(0.1, store, 100, ticks.now).block(45.0)
    other = RequestGate(0.1, store, 100, ticks.now)
    other.start(ticks.sleep, ticks.now)
    assert ticks.time == pytest.approx(1045.0)

    other.block(601.0)
    with pytest.raises(BlockedError, match="run the command again in 11 minutes"):
        other.start(ticks.sleep, ticks.now)
    assert (other.sent, store.requests(ticks.now())) == (1, 1)


def test_a_block_ends_after_a_day_whatever_the_server_asks_for(tmp_path: Path) -> None:
    ticks, store = Ticks(), RequestStore(tmp_path / "requests.sqlite")
    RequestGate(0.1, store, 100, ticks.now).block(1e11)

    ticks.sleep(24 * 3600.0)

    RequestGate(0.1, store, 100, ticks.now).start(ticks.sleep, ticks.now)
    assert store.requests(ticks.now()) == 1


def test_a_clock_that_started_anew_does_not_stop_requests(tmp_path: Path) -> None:
    store = RequestStore(tmp_path / "requests.sqlite")
    store.write_answer(9e9)
    ticks = Ticks()

    RequestGate(0.1, store, 100).start(ticks.sleep, ticks.now)

    assert ticks.time == pytest.approx(1000.1)
