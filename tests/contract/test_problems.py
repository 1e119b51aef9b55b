"""Every route with every problem it documents, in the one shape."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pokewatch.gateway.api.openapi import document
from pokewatch.gateway.api.routes import OPERATIONS, Operation
from pokewatch.gateway.http.problems import Kind, ProblemError
from tests.gateway.clock import until
from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.problems import assert_problem
from tests.serving.server import Server

CASES = [(operation, kind) for operation in OPERATIONS for kind in operation.problems]


@pytest.fixture(scope="module")
def spoilt(mlserver: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose handlers a test may replace."""
    with gateway_at(mlserver.url, tmp_path_factory.mktemp("problems")) as found:
        yield found


@pytest.mark.parametrize(
    ("operation", "kind"), CASES, ids=[f"{operation.name}-{kind.name}" for operation, kind in CASES]
)
def test_every_documented_problem(
    spoilt: Gateway, operation: Operation, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = ProblemError(
        kind, "for the test", retry_after=7 if kind.status in {429, 503} else None
    )
    route = next(route for route in spoilt.app.routes if route.name == operation.name)

    async def fails(exchange: object) -> Any:
        raise raised

    monkeypatch.setattr(route.app, "_handler", fails)
    path = operation.path.replace("{card_id}", "card_4").replace("{model}", "pokewatch")
    response = spoilt.ask(operation.method, path, json=operation.example)
    assert_problem(response, kind.status, kind.name)
    documented = document()["paths"][operation.path][operation.method.lower()]["responses"]
    assert "application/problem+json" in documented[str(kind.status)]["content"]
    assert ("error" in response.json()) == path.startswith("/v2/")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_route_asks_for_its_scope(spoilt: Gateway, operation: Operation) -> None:
    path = operation.path.replace("{card_id}", "card_4").replace("{model}", "pokewatch")
    if operation.scope is None:
        assert spoilt.ask(operation.method, path, key="").status_code == 200
        return
    key = spoilt.store.create("other", scopes=["batch" if operation.scope == "read" else "read"])
    spoilt.app.assembly.keyring.refresh()
    assert_problem(
        spoilt.ask(operation.method, path, key=key.key, json=operation.example), 403, "forbidden"
    )
    assert_problem(
        spoilt.ask(operation.method, path, key="", json=operation.example), 401, "unauthorized"
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_route_refuses_other_methods(spoilt: Gateway, operation: Operation) -> None:
    path = operation.path.replace("{card_id}", "card_4").replace("{model}", "pokewatch")
    for method in {
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "POST" if operation.method == "GET" else "GET",
    }:
        response = spoilt.ask(method, path, key="")
        assert_problem(response, 405, "method-not-allowed")
        assert operation.method in response.headers["allow"]


def test_a_defect_is_a_problem_too(spoilt: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(exchange: object) -> Any:
        raise RuntimeError("secret detail")

    route = next(route for route in spoilt.app.routes if route.name == "health")
    monkeypatch.setattr(route.app, "_handler", fails)
    response = spoilt.get("/health")
    assert_problem(response, 500, "internal")
    assert "secret detail" not in response.text


def test_a_store_that_cannot_be_read_closes_the_gateway(
    mlserver: Server, make_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make_gateway(mlserver.url)
    monkeypatch.setattr(gateway.app.assembly.keyring, "blind", lambda: True)
    assert_problem(gateway.post("/fair_price", {"card_id": "card_4"}), 503, "keys-unreadable")


def test_revoked_on_every_gateway_that_shares_the_store(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateways = [make_gateway(mlserver.url) for _ in range(2)]
    key = gateways[0].store.create("short-lived")

    async def answer(status: int) -> None:
        async def all_say() -> bool:
            found = [
                await asyncio.to_thread(
                    each.post, "/fair_price", {"card_id": "card_4"}, key=key.key
                )
                for each in gateways
            ]
            return {response.status_code for response in found} == {status}

        await until(all_say)

    asyncio.run(answer(200))
    gateways[1].store.revoke(key.id)
    asyncio.run(answer(401))
