"""The OpenAPI document is valid and complete, and the running gateway conforms to it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from pokewatch.contract import ADVICE_REASONS, REASONS, SIGNALS, STATUSES
from pokewatch.gateway.api.examples import EXAMPLE, ExampleCard
from pokewatch.gateway.api.openapi import document
from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.http.problems import KINDS
from tests.gateway.conftest import Gateway, gateway_at
from tests.serving.server import Server

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def open_gateway(mlserver: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway without a limit on failed keys."""
    with gateway_at(
        mlserver.url, tmp_path_factory.mktemp("contract"), failed_key_rate="none"
    ) as found:
        yield found


def test_it_is_valid() -> None:
    validate(document())


CARD = ExampleCard("card_0", "Pokémon 0", "set0", "Set 0", "000/100", "Common", "2026-01-05", 0.83)


def test_it_is_served_with_examples_of_a_card_that_is_served(gateway: Gateway) -> None:
    response = gateway.get("/openapi.json", key="")
    card = gateway.get("/cards?limit=1").json()["cards"][0]
    assert response.json() == document(CARD._replace(rarity=card["rarity"]))
    assert response.json()["openapi"] == "3.1.0"
    assert EXAMPLE.slug not in response.text
    assert EXAMPLE.slug not in gateway.get("/docs", key="").text


def test_without_a_model_server_the_examples_are_general(
    make_gateway: Callable[..., Gateway],
) -> None:
    response = make_gateway("http://127.0.0.1:1").get("/openapi.json", key="")
    assert response.json() == document()


def test_statuses_reasons_and_signals_are_enumerated() -> None:
    answer = document()["components"]["schemas"]["FairPriceAnswer"]["properties"]
    assert set(answer["status"]["enum"]) == set(STATUSES)
    assert set(answer["reason"]["enum"]) == REASONS
    assert set(answer["advice"]["enum"]) == ADVICE_REASONS
    assert set(answer["signal"]["enum"]) == set(SIGNALS)


def test_no_list_is_untyped() -> None:
    def lists(node: Any) -> Iterator[Any]:
        if isinstance(node, dict):
            if node.get("type") == "array":
                yield node
            for value in node.values():
                yield from lists(value)
        elif isinstance(node, list):
            for value in node:
                yield from lists(value)

    schemas = dict(document()["components"]["schemas"])
    del schemas["V2Tensor"]  # whose items are of the tensor's datatype
    assert all(each.get("items") for each in lists(schemas))


def enumerations(node: Any) -> Iterator[Any]:
    """Yield the schemas that list their values."""
    if isinstance(node, dict) and isinstance(node.get("enum"), list):
        yield node
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from enumerations(value)


def test_every_enumeration_has_the_type_of_its_values() -> None:
    found, types = document(), {"integer": int, "string": str}
    for each in enumerations(found):
        assert {type(value) for value in each["enum"]} == {types[each["type"]]}, each
    days = found["components"]["schemas"]["PriceChanges"]["properties"]["days"]
    assert (days["type"], days["enum"]) == ("integer", [1, 7, 30])


def test_every_answer_has_a_schema() -> None:
    for path, methods in document()["paths"].items():
        answers = chain.from_iterable(each["responses"].values() for each in methods.values())
        contents = chain.from_iterable(each.get("content", {}).values() for each in answers)
        assert all("schema" in each for each in contents), path


def test_it_has_every_route(gateway: Gateway) -> None:
    routes = {
        (method, route.path) for route in gateway.app.routes for method in route.methods - {"HEAD"}
    }
    pages = {("GET", path) for path in gateway.app.assembly.site.pages}
    pages |= {
        (method, route.path)
        for route in gateway.app.assembly.site.routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    operations = {(operation.method, operation.path) for operation in OPERATIONS}
    assert routes == operations | pages | {("POST", "/mcp")}


def test_every_problem_is_documented_for_some_operation() -> None:
    documented = {kind for operation in OPERATIONS for kind in operation.problems}
    anywhere = {"not-found", "method-not-allowed", "internal", "malformed", "unsupported"}
    assert {kind.name for kind in KINDS if kind not in documented} == anywhere


def test_the_docs_page_loads_no_other_resources(gateway: Gateway) -> None:
    response = gateway.get("/docs", key="")
    policy = response.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert "http" not in response.text.replace("http-equiv", "")
    assert "`" not in response.text.partition("<script>")[0]
    for kind in KINDS:
        assert f'id="{kind.name}"' in response.text


@pytest.mark.integration
@pytest.mark.parametrize(
    "keyed",
    [True, pytest.param(False, marks=pytest.mark.slow)],
    ids=["key", "no-key"],
)
def test_schemathesis_finds_nothing(open_gateway: Gateway, tmp_path: Path, keyed: bool) -> None:
    arguments = [
        "--checks",
        "all",
        "--max-examples",
        "4",
        "--generation-deterministic",
        "--no-color",
        "--report-dir",
        str(tmp_path),
    ]
    if keyed:
        arguments += ["-H", f"X-API-Key: {open_gateway.key.key}"]
    found = subprocess.run(
        [
            str(Path(sys.executable).parent / "st"),
            "--config-file",
            str(CONFIG),
            "run",
            f"{open_gateway.url}/openapi.json",
            *arguments,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert found.returncode == 0, found.stdout[-4_000:] + found.stderr[-1_000:]


@pytest.mark.slow
def test_schemathesis_finds_nothing_for_long(open_gateway: Gateway, tmp_path: Path) -> None:
    arguments = [
        "--checks",
        "all",
        "--max-examples",
        "150",
        "--no-color",
        "-H",
        f"X-API-Key: {open_gateway.key.key}",
    ]
    found = subprocess.run(
        [
            str(Path(sys.executable).parent / "st"),
            "--config-file",
            str(CONFIG),
            "run",
            f"{open_gateway.url}/openapi.json",
            *arguments,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert found.returncode == 0, found.stdout[-4_000:] + found.stderr[-1_000:]
