"""Every route with every problem that it documents."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pokewatch.gateway.api.openapi import document
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.http.problems import Kind, ProblemError
from tests.gateway.clock import until
from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.problems import assert_problem
from tests.serving.server import Server

CASES = [(operation, kind) for operation in OPERATIONS for kind in operation.problems]


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    """The paths of the OpenAPI document."""
    found: dict[str, Any] = document()["paths"]
    return found


@pytest.fixture(scope="module")
def broken(mlserver: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose handlers may be replaced by tests."""
    with gateway_at(mlserver.url, tmp_path_factory.mktemp("problems")) as found:
        yield found


def path_of(operation: Operation) -> str:
    """Return a path of the operation whose card, set and model exist."""
    named = {"card_id": "card_4", "set_id": "set0", "model": "pokewatch"}
    return operation.path.format(**named, watch_id="w_0123456789abcdef")


@pytest.mark.parametrize(
    ("operation", "kind"), CASES, ids=[f"{operation.name}-{kind.name}" for operation, kind in CASES]
)
def test_every_documented_problem(
    broken: Gateway,
    paths: dict[str, Any],
    operation: Operation,
    kind: Kind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised = ProblemError(
        kind, "for the test", retry_after=7 if kind.status in {429, 503} else None
    )
    route = next(route for route in broken.app.routes if route.name == operation.name)

    async def fails(context: object) -> Any:
        raise raised

    endpoint = getattr(route.app, "json", route.app)  # of a path that has a page too
    monkeypatch.setattr(endpoint, "_handler", fails)
    path = path_of(operation)
    response = broken.ask(operation.method, path, json=operation.example)
    assert_problem(response, kind.status, kind.name)
    documented = paths[operation.path][operation.method.lower()]["responses"]
    assert "application/problem+json" in documented[str(kind.status)]["content"]
    assert ("error" in response.json()) == path.startswith("/v2/")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_route_requires_its_scope(broken: Gateway, operation: Operation) -> None:
    path = path_of(operation)
    if operation.scope is None:
        assert broken.ask(operation.method, path, key="").status_code == 200
        return
    key = broken.store.create("other", scopes=["batch" if operation.scope == "read" else "read"])
    broken.app.assembly.key_cache.refresh()
    assert_problem(
        broken.ask(operation.method, path, key=key.key, json=operation.example), 403, "forbidden"
    )
    assert_problem(
        broken.ask(operation.method, path, key="", json=operation.example), 401, "unauthorized"
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_route_rejects_other_methods(broken: Gateway, operation: Operation) -> None:
    path = path_of(operation)
    supported = {other.method for other in OPERATIONS if other.path == operation.path}
    # GET /cards/resolve is a request for a card of that name.
    read = set() if operation.name == "cards_resolve" else {"GET"}
    for method in ({"PUT", "PATCH", "DELETE", "OPTIONS", "POST"} | read) - supported:
        response = broken.ask(method, path, key="")
        assert_problem(response, 405, "method-not-allowed")
        assert supported <= set(response.headers["allow"].split(", "))


def test_an_unhandled_exception_is_a_problem(
    broken: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(context: object) -> Any:
        raise RuntimeError("secret detail")

    route = next(route for route in broken.app.routes if route.name == "health")
    monkeypatch.setattr(route.app, "_handler", fails)
    response = broken.get("/health")
    assert_problem(response, 500, "internal")
    assert "secret detail" not in response.text


def test_an_outdated_key_cache_rejects_requests(
    mlserver: Server, make_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make_gateway(mlserver.url)
    monkeypatch.setattr(gateway.app.assembly.key_cache, "outdated", lambda: True)
    assert_problem(gateway.post("/fair_price", {"card_id": "card_4"}), 503, "keys-unreadable")


def test_a_key_is_revoked_on_every_gateway_that_shares_the_store(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateways = [make_gateway(mlserver.url) for _ in range(2)]
    key = gateways[0].store.create("short-lived")

    async def wait_for(status: int) -> None:
        async def all_respond() -> bool:
            found = [
                await asyncio.to_thread(
                    each.post, "/fair_price", {"card_id": "card_4"}, key=key.key
                )
                for each in gateways
            ]
            return {response.status_code for response in found} == {status}

        await until(all_respond)

    asyncio.run(wait_for(200))
    gateways[1].store.revoke(key.id)
    asyncio.run(wait_for(401))
