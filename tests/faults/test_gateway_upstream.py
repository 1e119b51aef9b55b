"""The gateway with network faults: it responds in time with the right problem, and recovers."""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.faults.proxy import Proxy, proxied
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.polling import eventually
from tests.serving.server import Server

pytestmark = pytest.mark.integration

FAST = {
    "upstream_seconds": 0.5,
    "deadline_seconds": 0.75,
    "connect_seconds": 0.5,
    "breaker_seconds": 0.1,
    "watch_seconds": 0.1,
}
BOUND = 20.0


@pytest.fixture
def proxy(mlserver: Server) -> Iterator[Proxy]:
    with proxied(mlserver.http_port) as found:
        yield found


def ask_all(gateway: Gateway, count: int) -> list[httpx.Response]:
    """Send `count` requests for different cards at the same time."""

    async def scenario() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=gateway.url, headers={"X-API-Key": gateway.key.key}, timeout=BOUND
        ) as client:
            return list(
                await asyncio.gather(
                    *(
                        client.post("/fair_price", json={"card_id": f"card_{2 + n % 38}"})
                        for n in range(count)
                    )
                )
            )

    return asyncio.run(scenario())


def inject(proxy: Proxy, mode: str) -> None:
    if mode == "refuse":
        proxy.refuse()
    else:
        proxy.mode = mode


@retry(
    stop=stop_after_delay(20),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type(AssertionError),
    reraise=True,
)
def wait_for_recovery(gateway: Gateway) -> None:
    assert gateway.post("/fair_price", {"card_id": "card_4"}).status_code == 200
    assert gateway.get("/ready").status_code == 200


@pytest.mark.parametrize(
    ("mode", "problems"),
    [
        ("refuse", {(503, "/docs#unavailable")}),
        ("reset", {(503, "/docs#unavailable")}),
        ("half", {(503, "/docs#unavailable")}),
        ("hang", {(504, "/docs#upstream-timeout"), (503, "/docs#unavailable")}),
        ("trickle", {(504, "/docs#upstream-timeout"), (503, "/docs#unavailable")}),
        ("garbage", {(502, "/docs#upstream-fault"), (503, "/docs#unavailable")}),
    ],
    ids=["refuse", "reset", "half", "hang", "trickle", "garbage"],
)
def test_every_fault(
    proxy: Proxy, make_gateway: Callable[..., Gateway], mode: str, problems: set[tuple[int, str]]
) -> None:
    gateway = make_gateway(proxy.url, stale_seconds=0, **FAST)
    wait_for_recovery(gateway)
    inject(proxy, mode)
    started = time.monotonic()
    responses = [response for _ in range(3) for response in ask_all(gateway, 12)]
    assert time.monotonic() - started < BOUND
    seen = {(response.status_code, response.json().get("type")) for response in responses}
    assert seen <= problems | {(200, None)}
    assert seen & problems
    assert min(problems) in seen or mode in ("hang", "trickle", "garbage")
    proxy.mode = "pass"
    wait_for_recovery(gateway)
    assert gateway.app.assembly.queue_limit.rows == 0, "no row may be left in the queue"


@pytest.mark.parametrize(
    ("path", "body"), [("/fair_price", {"card_id": "card_4"}), ("/movers", None)]
)
def test_an_old_answer_that_was_current_until_the_outage_is_sent(
    proxy: Proxy,
    make_gateway: Callable[..., Gateway],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: dict[str, str] | None,
) -> None:
    gateway = make_gateway(proxy.url, **FAST)
    wait_for_recovery(gateway)
    ask = partial(gateway.get, path) if body is None else partial(gateway.post, path, body)
    with monkeypatch.context() as an_hour_ago:
        an_hour_ago.setattr(
            gateway.app.assembly.answer_cache, "_clock", lambda: time.monotonic() - 3_600
        )
        gateway.app.assembly.answer_cache._entries.clear()
        before = ask()
        assert before.status_code == 200
    proxy.refuse()
    eventually(lambda: gateway.get("/ready").status_code, lambda code: code == 503)
    during = ask()
    assert during.status_code == 200
    differing = {"stale": True, "request_id": None}
    assert during.json()["stale"]
    assert during.json() | differing == before.json() | differing


def test_a_slow_network_causes_no_errors(
    proxy: Proxy, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(proxy.url, upstream_seconds=20, deadline_seconds=20)
    wait_for_recovery(gateway)
    proxy.mode, proxy.pause = "trickle", 0.0005
    assert gateway.post("/fair_price", {"card_id": "card_7"}).status_code == 200


def test_the_breaker_opens_for_a_dead_server(
    proxy: Proxy, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(
        proxy.url,
        breaker_seconds=60,
        upstream_seconds=0.2,
        watch_seconds=60,
        stale_seconds=0,
        answer_cache=False,
    )
    wait_for_recovery(gateway)
    proxy.mode = "hang"
    for _ in range(5):
        assert_problem(gateway.post("/fair_price", {"card_id": "card_4"}), 504, "upstream-timeout")
    proxy.mode = "pass"
    problem = assert_problem(gateway.post("/fair_price", {"card_id": "card_4"}), 503, "unavailable")
    assert "has failed repeatedly" in str(problem["detail"])
    assert 50 < int(str(problem["retry_after"])) <= 60


def test_the_last_response_is_served_during_an_outage(
    proxy: Proxy, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(proxy.url, answer_cache=False, **FAST)
    wait_for_recovery(gateway)
    before: dict[str, Any] = gateway.post("/fair_price", {"card_id": "card_4"}).json()
    card = gateway.get("/cards/card_4").json()
    proxy.refuse()
    for response in ask_all(gateway, 2):
        assert response.status_code == 503
    after = gateway.post("/fair_price", {"card_id": "card_4"}).json()
    assert after | {"request_id": ""} == before | {"stale": True, "request_id": ""}
    stale = gateway.get("/cards/card_4")
    assert stale.json() == card | {"stale": True}
    assert "etag" not in stale.headers
    assert_problem(gateway.post("/fair_price", {"card_id": "card_5"}), 503, "unavailable")


def test_excess_load_is_rejected(proxy: Proxy, make_gateway: Callable[..., Gateway]) -> None:
    gateway = make_gateway(
        proxy.url, queue_rows=5, upstream_seconds=2, deadline_seconds=2, answer_cache=False
    )
    wait_for_recovery(gateway)
    proxy.mode = "hang"
    rejected = [
        response
        for response in ask_all(gateway, 12)
        if response.json().get("type") == "/docs#overloaded"
    ]
    assert len(rejected) >= 7
    for response in rejected:
        assert_problem(response, 503, "overloaded")
