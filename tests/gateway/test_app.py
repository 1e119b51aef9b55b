import gc
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pokewatch.gateway.http.middleware import RequestContext
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.serving.server import Server


def test_a_fair_price(gateway: Gateway) -> None:
    response = gateway.post("/fair_price", {"card_id": "card_4"}, headers={"X-Request-Id": "mine"})
    assert response.status_code == 200, response.text
    assert response.headers["x-request-id"] == "mine"
    body = response.json()
    assert body.pop("as_of").endswith("Z")
    assert 0 < body.pop("confidence") < 1
    assert body == {
        "card_id": "tcgplayer-4-normal",
        "date": "2026-01-05",
        "market_price": 5.04,
        "fair_price": 5.04,
        "deviation_pct": 0.0,
        "signal": "HOLD",
        "buy_below": 2.64,
        "sell_above": 5.2,
        "chance_to_earn": 0.005,
        "advice": "ok",
        "market": "simulated-0",
        "currency": "USD",
        "lower": 4.032,
        "upper": 6.3,
        "reason": "within_thresholds",
        "status": "ok",
        "stale": False,
        "model_version": "7",
        "data_version": "dv-1",
        "request_id": "mine",
    }


def test_an_earlier_day(gateway: Gateway) -> None:
    body = gateway.post(
        "/fair_price", {"card_id": "tcgplayer-4-normal", "date": "2026-01-02"}
    ).json()
    assert (body["date"], body["market_price"]) == ("2026-01-02", 5.01)


@pytest.mark.parametrize(
    ("offered", "signal"),
    [(4.0, "BUY"), (5.04, "HOLD"), (6.0, "SELL")],
    ids=["low", "fair", "high"],
)
def test_an_offered_price_is_compared_with_the_fair_price(
    gateway: Gateway, offered: float, signal: str
) -> None:
    body = gateway.post("/fair_price", {"card_id": "card_4", "market_price": offered}).json()
    assert (body["market_price"], body["signal"]) == (offered, signal)
    assert body["deviation_pct"] == pytest.approx((offered - 5.04) / 5.04)


def test_a_card_without_a_fair_price_is_hold(gateway: Gateway) -> None:
    body = gateway.post("/fair_price", {"card_id": "card_1"}).json()
    assert (body["signal"], body["reason"], body["status"]) == (
        "HOLD",
        "thin_history",
        "thin_history",
    )
    assert (
        body["market_price"],
        body["fair_price"],
        body["deviation_pct"],
        body["confidence"],
    ) == (2.04, None, None, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/fair_price", {"card_id": "card_4"}),
        ("/fair_price/batch", {"cards": [{"card_id": "card_4"}]}),
        ("/signal", {"market_price": 90, "fair_price": 100}),
    ],
)
def test_a_parameter_that_belongs_into_the_body_is_not_ignored(
    gateway: Gateway, path: str, body: dict[str, Any]
) -> None:
    problem = assert_problem(gateway.post(f"{path}?market=simulated-1", body), 422, "invalid")
    assert problem["errors"] == [{"pointer": "?market", "detail": "is not a known parameter"}]


@pytest.mark.parametrize(
    ("body", "status", "name", "pointer"),
    [
        ({"card_id": "nobody"}, 404, "unknown-card", None),
        ({"card_id": "card_0", "date": "2020-01-01"}, 404, "unknown-date", None),
        ({"card_id": "card_0", "date": "soon"}, 422, "invalid", "/date"),
        ({"card_id": "card_0", "date": "2026-02-30"}, 422, "invalid", "/date"),
        ({"card_id": "card_0", "date": "20260102"}, 422, "invalid", "/date"),
        ({"card_id": "card_0", "date": "2026-W01-1"}, 422, "invalid", "/date"),
        ({"card_id": "card_0\n"}, 422, "invalid", "/card_id"),
        ({"card_id": "Card 0"}, 422, "invalid", "/card_id"),
        ({"card_id": 7}, 422, "invalid", "/card_id"),
        ({}, 422, "invalid", "/card_id"),
        ([], 422, "invalid", ""),
        ({"card_id": "card_0", "price": 1}, 422, "invalid", "/price"),
        ({"card_id": "card_0", "market_price": 0}, 422, "invalid", "/market_price"),
        ({"card_id": "card_0", "market_price": True}, 422, "invalid", "/market_price"),
        ({"card_id": "card_0", "market_price": 1e300}, 422, "invalid", "/market_price"),
    ],
    ids=lambda value: str(value),
)
def test_invalid_requests(
    gateway: Gateway, body: Any, status: int, name: str, pointer: str | None
) -> None:
    problem = assert_problem(gateway.post("/fair_price", body), status, name)
    assert [fault["pointer"] for fault in problem.get("errors", [])] == (
        [] if pointer is None else [pointer]
    )


@pytest.mark.parametrize(
    ("content", "headers", "status", "name"),
    [
        (b'{"card_id": ', {}, 400, "not-json"),
        (b'{"card_id": "\xff"}', {}, 400, "not-json"),
        (b"", {}, 400, "not-json"),
        (b'{"card_id": "a"}}', {}, 400, "not-json"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "media-type"),
        (b"{}", {"Content-Encoding": "gzip"}, 415, "media-type"),
        (b" " * 2_000_000, {}, 413, "too-large"),
    ],
    ids=["cut", "not-utf8", "empty", "more", "text", "gzip", "large"],
)
def test_an_invalid_body_gets_its_problem(
    gateway: Gateway, content: bytes, headers: dict[str, str], status: int, name: str
) -> None:
    response = gateway.ask(
        "POST",
        "/fair_price",
        content=content,
        headers={"Content-Type": "application/json", **headers},
    )
    assert_problem(response, status, name)


def test_a_chunked_body_is_limited(gateway: Gateway) -> None:
    response = gateway.ask(
        "POST",
        "/fair_price",
        content=(b" " * 100_000 for _ in range(20)),
        headers={"Content-Type": "application/json"},
    )
    assert_problem(response, 413, "too-large")


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-API-Key": "pw_000000000000_wrong"}, {"Authorization": "Basic eDp5"}],
    ids=["none", "wrong", "basic"],
)
def test_without_a_valid_key(
    mlserver: Server, make_gateway: Callable[..., Gateway], headers: dict[str, str]
) -> None:
    gateway = make_gateway(mlserver.url)
    response = gateway.ask(
        "POST", "/fair_price", key="", json={"card_id": "card_4"}, headers=headers
    )
    problem = assert_problem(response, 401, "unauthorized")
    assert problem["detail"] == (
        "send a valid API key in the header X-API-Key, or as Authorization: Bearer"
    )
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_bearer_key(gateway: Gateway, scheme: str) -> None:
    response = gateway.ask(
        "POST",
        "/fair_price",
        key="",
        json={"card_id": "card_4"},
        headers={"Authorization": f"{scheme} {gateway.key.key}"},
    )
    assert response.status_code == 200


def test_a_key_without_the_scope_is_forbidden(gateway: Gateway) -> None:
    key = gateway.store.create("batches", scopes=["batch"])
    gateway.app.assembly.key_cache.refresh()
    assert_problem(
        gateway.post("/fair_price", {"card_id": "card_4"}, key=key.key), 403, "forbidden"
    )


def test_an_expired_key_is_unauthorized(gateway: Gateway) -> None:
    key = gateway.store.create("short", expires=timedelta(microseconds=1))
    gateway.app.assembly.key_cache.refresh()
    assert_problem(
        gateway.post("/fair_price", {"card_id": "card_4"}, key=key.key), 401, "unauthorized"
    )


def test_limits(gateway: Gateway) -> None:
    key = gateway.store.create("slow", rate="2/hour")
    gateway.app.assembly.key_cache.refresh()
    responses = [gateway.post("/fair_price", {"card_id": "card_4"}, key=key.key) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert [response.headers["ratelimit"].split(";t=")[0] for response in responses] == [
        '"key";r=1',
        '"key";r=0',
        '"key";r=0',
    ]
    assert responses[0].headers["ratelimit-policy"] == '"key";q=2;w=3600'
    assert_problem(responses[2], 429, "rate-limited")


def test_a_key_without_the_scope_is_rate_limited(gateway: Gateway) -> None:
    key = gateway.store.create("other", scopes=["batch"], rate="2/hour")
    gateway.app.assembly.key_cache.refresh()
    statuses = [
        gateway.post("/fair_price", {"card_id": "card_4"}, key=key.key).status_code
        for _ in range(3)
    ]
    assert statuses == [403, 403, 429]


def test_only_invalid_keys_are_limited_by_address(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mlserver.url, failed_key_rate="2/hour")
    statuses = [
        gateway.post("/fair_price", {"card_id": "card_4"}, key=key).status_code
        for key in ("a", "b", "c", "", gateway.key.key)
    ]
    assert statuses == [401, 401, 429, 429, 200]


@pytest.mark.parametrize("path", ["/nothing", "/fair_price/", "/v2/repository/index"])
def test_unknown_paths(gateway: Gateway, path: str) -> None:
    assert_problem(gateway.get(path, key="none"), 404, "not-found")


def test_unknown_methods(gateway: Gateway) -> None:
    response = gateway.get("/fair_price", key="none")
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"


def test_model_server_down(make_gateway: Callable[..., Gateway]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gateway = make_gateway(f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert_problem(gateway.post("/fair_price", {"card_id": "card_4"}), 503, "unavailable")
        assert_problem(gateway.get("/ready"), 503, "unavailable")
    assert gateway.get("/health").json() == {"status": "alive"}


def test_a_request_leaves_no_reference_cycles(gateway: Gateway) -> None:
    """Collections pause a gateway under load for milliseconds and evict the CPU's caches."""
    bodies: list[dict[str, Any]] = [
        {"card_id": "card_4"},
        {"card_id": "nobody"},
        {"card_id": "card_4", "price": 1},
    ]
    gc.collect()
    gc.disable()
    try:
        statuses = {gateway.post("/fair_price", body).status_code for body in bodies * 8}
        statuses |= {
            gateway.post(
                "/signal", {"market_price": 1, "fair_price": 1, "buy_threshold_pct": each}
            ).status_code
            for each in (0, 1)
        }
        statuses |= {
            gateway.get(path).status_code
            for path in ("/cards/card_4", "/movers", "/nothing")
            for _ in range(8)
        }
        left = [each for each in gc.get_objects() if isinstance(each, RequestContext)]
    finally:
        gc.enable()
    assert statuses == {200, 404, 422}
    assert len(left) <= 1, {(each.route, each.status) for each in left}


def test_readiness_states_what_the_evaluation_showed(gateway: Gateway) -> None:
    assert gateway.get("/ready").json()["skill"] == "too few periods to tell"
