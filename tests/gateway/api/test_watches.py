"""/watches, through a real gateway and a real MLServer."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pokewatch.watches.store import Verdict, WatchStore
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.serving.server import Server
from tests.watches.conftest import database_url, postgres

__all__ = ["database_url", "postgres"]

BELOW = {"card_id": "card_4", "condition": {"type": "below", "price": 4.5}}
HOOK = "https://example.com/hook"
NOBODY = "w_0123456789abcdef"


@pytest.fixture
def own(
    mlserver: Server,
    make_gateway: Callable[..., Gateway],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Gateway:
    """A gateway with a database of its own, SQLite or PostgreSQL."""
    monkeypatch.setenv("POKEWATCH_WATCHES_URL", database_url)
    return make_gateway(mlserver.url)


def new_key(gateway: Gateway, name: str = "other") -> str:
    key = gateway.store.create(name, rate="none").key
    gateway.app.assembly.key_cache.refresh()
    return key


def create(gateway: Gateway, request: Any = BELOW, **more: Any) -> dict[str, Any]:
    response = gateway.post("/watches", request, **more)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    found: dict[str, Any] = response.json()
    return found


def test_a_watch_is_created_listed_and_removed(own: Gateway) -> None:
    made = create(own, BELOW | {"webhook": HOOK})
    assert made["secret"].startswith("whsec_")
    assert made["card_id"] == "tcgplayer-4-normal"
    assert (made["card"], made["condition"], made["currency"]) == (
        "card_4",
        BELOW["condition"],
        "USD",
    )
    assert (made["state"], made["reason"], made["crossings"]) == ("armed", None, 0)
    del made["secret"], made["request_id"]
    assert own.get("/watches").json()["watches"] == [made]
    found = own.get(f"/watches/{made['id']}").json()
    assert found.pop("deliveries") == []
    del found["request_id"]
    assert found == made
    removed = own.ask("DELETE", f"/watches/{made['id']}").json()
    assert removed["id"] == made["id"]
    assert own.get("/watches").json()["watches"] == []
    assert_problem(own.get(f"/watches/{made['id']}"), 404, "unknown-watch")


@pytest.mark.parametrize(
    ("condition", "currency"),
    [
        ({"type": "above", "price": 6.0}, "USD"),
        ({"type": "signal", "signal": "BUY"}, None),
        ({"type": "moves", "change": 0.1, "days": 7}, None),
    ],
    ids=["above", "signal", "moves"],
)
def test_every_condition(own: Gateway, condition: Any, currency: str | None) -> None:
    made = create(own, {"card_id": "tcgplayer-4-normal", "condition": condition})
    assert made["condition"] == condition
    assert made["currency"] == currency
    assert made["secret"] is None


def test_watches_belong_to_their_key(own: Gateway) -> None:
    made, key = create(own), new_key(own)
    assert own.get("/watches", key=key).json()["watches"] == []
    for method in ("GET", "DELETE"):
        problem = own.ask(method, f"/watches/{made['id']}", key=key)
        unknown = own.ask(method, f"/watches/{NOBODY}", key=key)
        assert_problem(problem, 404, "unknown-watch")
        assert problem.json()["detail"].replace(made["id"], NOBODY) == unknown.json()["detail"]
    assert own.get("/watches").json()["watches"][0]["id"] == made["id"]


def test_the_notifications_of_a_watch_are_shown(own: Gateway) -> None:
    from pokewatch.watches.outbox import NewDelivery

    made = create(own, BELOW | {"webhook": HOOK})
    store: WatchStore = own.app.assembly._watches._store
    delivery = NewDelivery(f"{made['id']}-1", HOOK, "example.com", "title", "{}")
    store.judge(
        "simulated-0",
        "2026-01-05 x",
        "",
        lambda _: [Verdict(True, None, "2026-01-05", (delivery,))],
    )
    found = own.get(f"/watches/{made['id']}").json()
    assert (found["state"], found["crossings"], found["crossed_on"]) == ("fired", 1, "2026-01-05")
    assert found["judged_on"] == "2026-01-05"
    (shown,) = found["deliveries"]
    assert (shown["id"], shown["state"], shown["attempts"]) == (f"{made['id']}-1", "pending", 0)
    assert shown["next_attempt_at"] == shown["created_at"]


def test_the_same_idempotency_key_creates_one(own: Gateway) -> None:
    headers = {"Idempotency-Key": "an-order-1"}
    request = BELOW | {"webhook": HOOK}
    first = create(own, request, headers=headers)
    again = create(own, dict(reversed(request.items())), headers=headers)
    for answer in (first, again):
        del answer["request_id"]
    assert first == again, "with its secret, and in whatever order the body is"
    assert len(own.get("/watches").json()["watches"]) == 1
    assert_problem(own.post("/watches", BELOW, headers=headers), 409, "reused-idempotency-key")
    assert create(own, BELOW, headers=headers, key=new_key(own))["id"] != first["id"]


def test_a_repeat_is_answered_the_same_after_the_watch_is_gone(own: Gateway) -> None:
    headers = {"Idempotency-Key": "once"}
    made = create(own, headers=headers)
    own.ask("DELETE", f"/watches/{made['id']}")
    assert create(own, headers=headers)["id"] == made["id"]
    assert own.get("/watches").json()["watches"] == []


def test_repeats_at_once_create_one(own: Gateway) -> None:
    found: list[httpx.Response] = []

    def send() -> None:
        found.append(own.post("/watches", BELOW, headers={"Idempotency-Key": "once"}))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.status_code for each in found} == {200}
    assert len({each.json()["id"] for each in found}) == 1


@pytest.mark.parametrize("given", ["", "two words", "x" * 256])
def test_other_idempotency_keys_are_refused(own: Gateway, given: str) -> None:
    response = own.post("/watches", BELOW, headers={"Idempotency-Key": given})
    problem = assert_problem(response, 422, "invalid")
    assert problem["errors"][0]["pointer"] == "Idempotency-Key"
    assert "expected 1 to 255 printable ASCII characters, got '" in problem["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"condition": {"type": "below", "price": 0}}, "/condition/price"),
        ({"condition": {"type": "below", "price": -3.0}}, "/condition/price"),
        ({"condition": {"type": "below", "price": "4"}}, "/condition/price"),
        ({"condition": {"type": "below", "price": 1e300}}, "/condition/price"),
        ({"condition": {"type": "below"}}, "/condition/price"),
        ({"condition": {"type": "below", "price": 4.5, "days": 3}}, "/condition/days"),
        ({"condition": {"type": "sinks", "price": 3}}, "/condition/type"),
        ({"condition": {"type": "signal", "signal": "HOLD"}}, "/condition/signal"),
        ({"condition": {"type": "moves", "change": 0.1, "days": 7.5}}, "/condition/days"),
        ({"condition": {"type": "moves", "change": 0, "days": 7}}, "/condition/change"),
        ({"condition": {"type": "moves", "change": 0.1, "days": 366}}, "/condition/days"),
        ({"condition": {}}, "/condition/type"),
        ({"condition": None}, "/condition"),
        ({"card_id": "CARD 4"}, "/card_id"),
        ({"currency": "dollars"}, "/currency"),
        ({"webhook": 3}, "/webhook"),
        ({"webhooks": HOOK}, "/webhooks"),
    ],
    ids=str,
)
def test_invalid_requests_are_pointed_to(own: Gateway, change: Any, pointer: str) -> None:
    problem = assert_problem(own.post("/watches", BELOW | change), 422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer
    assert "`" not in problem["detail"], "in words, not those of the library"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_a_threshold_that_is_not_finite_is_refused(own: Gateway, text: str) -> None:
    body = f'{{"card_id": "card_4", "condition": {{"type": "below", "price": {text}}}}}'
    response = own.ask(
        "POST", "/watches", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code in (400, 422)
    assert own.get("/watches").json()["watches"] == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"currency": "EUR"}, "/currency: got EUR, the prices are in USD"),
        ({"webhook": "http://example.com/"}, "/webhook: a webhook is an https:// address"),
        ({"webhook": "https://169.254.169.254/"}, "169.254.169.254 is not at a public address"),
        ({"webhook": "https://[::ffff:127.0.0.1]/"}, "is not at a public address"),
        ({"webhook": "https://me:secret@example.com/"}, "no user name"),
    ],
    ids=str,
)
def test_watches_that_cannot_be_are_refused(own: Gateway, change: Any, text: str) -> None:
    problem = assert_problem(own.post("/watches", BELOW | change), 409, "watch-refused")
    assert text in problem["detail"]
    (fault,) = problem["errors"]
    assert f"{fault['pointer']}: {fault['detail']}" == problem["detail"]


def test_an_unknown_card_has_near_ones(own: Gateway) -> None:
    problem = assert_problem(
        own.post("/watches", BELOW | {"card_id": "cart_4"}), 404, "unknown-card"
    )
    assert "card_4" in problem["near"]


def test_a_key_has_a_limited_number(
    mlserver: Server, make_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_WATCHES_PER_KEY", "2")
    gateway = make_gateway(mlserver.url)
    for _ in range(2):
        create(gateway)
    problem = assert_problem(gateway.post("/watches", BELOW), 409, "watch-refused")
    assert "the key has 2 watches already" in problem["detail"]
    create(gateway, key=new_key(gateway))


def test_a_database_that_is_gone_is_an_outage_of_the_watches_alone(
    mlserver: Server, make_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make_gateway(mlserver.url)
    from sqlalchemy.engine import make_url

    gateway.app.assembly._watches._store._database.url = make_url(
        "postgresql+psycopg://me:s3cret@127.0.0.1:1/watches"
    )
    answers = [
        gateway.post("/watches", BELOW),
        gateway.get("/watches"),
        gateway.get(f"/watches/{NOBODY}"),
        gateway.ask("DELETE", f"/watches/{NOBODY}"),
    ]
    for answer in answers:
        assert_problem(answer, 503, "watches-unavailable")
        assert "s3cret" not in answer.text
    assert gateway.get("/cards/card_4").status_code == 200


def test_a_database_that_hangs_holds_up_no_other_request(own: Gateway) -> None:
    endpoints, released = own.app.assembly._watches, threading.Event()

    async def flood() -> list[Any]:
        calls = [endpoints._run(released.wait, 20) for _ in range(70)]
        waiting = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0.05)
        refused = [each for each in waiting if each.done()]
        assert await asyncio.to_thread(own.get, "/cards/card_4")
        released.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        return refused

    assert len(asyncio.run(flood())) == 6
