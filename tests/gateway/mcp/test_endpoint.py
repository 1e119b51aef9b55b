"""/mcp, with the SDK's client against a real gateway and MLServer."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.gateway.api.markets.conftest import both, two_markets
from tests.gateway.conftest import Gateway
from tests.gateway.mcp.answers import SIMULATED, check_answers
from tests.gateway.mcp.sessions import error_of, http_session, record, run
from tests.gateway.problems import assert_problem
from tests.serving.server import Server

__all__ = ["both", "two_markets"]

HEADERS = {"Accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_recorded_session_agrees_with_the_api(gateway: Gateway, mode: str) -> None:
    found = run(http_session(gateway.url, gateway.key.key, mode), record)
    check_answers(found, gateway)


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("fair_price", {"card": "card_4x"}, "no card has the id or slug 'card_4x'"),
        ("fair_price", {"card": "card_4", "date": "yesterday"}, "is not a day like"),
        (
            "judge_listing",
            {"card": "card_4", "price": -1},
            "price: got -1, expected a number above 0",
        ),
        ("judge_listing", {"card": "card_4", "price": 1, "fees": "cardmarket"}, "EUR"),
        (
            "search_cards",
            {"query": "x", "limit": 1_000},
            "limit: got 1000, expected a number of at ",
        ),
        ("value_collection", {"lines": []}, "lines: got 0 items, expected at least 1"),
        ("value_collection", {"lines": [{"nome": "x"}]}, "lines[0].nome: there is no such field"),
        ("fair_price", {"card": "../x"}, "fair_price: card: must be the id or slug"),
        ("judge_listing", {"card": "card_4", "price": 1e300}, "price: must be at most 10000000"),
        ("judge_listing", {"card": "card_4", "price": True}, "price: got true, expected a number"),
        ("fair_price", {}, "card is missing"),
        ("fair_price", {"card": 5}, "card: got 5, expected a text"),
        ("judge_listing", {"card": "card_4", "price": "x"}, 'price: got "x", expected a number'),
        (
            "judge_listing",
            {"card": "card_4", "price": "inf"},
            "expected a finite number",
        ),
        ("judge_listing", {"card": "card_4", "price": 1, "condition": "GOOD"}, 'got "GOOD", exp'),
        ("fair_price", {"card": "card_4", "condition": "LP"}, "has no argument 'condition': its "),
        ("list_markets", {"x": 1}, "has no argument 'x': its arguments are none"),
    ],
)
def test_what_is_wrong_is_said(
    gateway: Gateway, tool: str, arguments: dict[str, Any], message: str
) -> None:
    session = http_session(gateway.url, gateway.key.key)
    found = run(session, lambda client: error_of(client, tool, arguments))
    assert message in found
    assert "pydantic" not in found


def test_descriptions_are_not_indented(gateway: Gateway) -> None:
    listed = gateway.post("/mcp", LIST, headers=HEADERS).json()["result"]["tools"]
    assert [tool["name"] for tool in listed if "\n " in tool["description"]] == []
    assert all(tool["description"] for tool in listed)


def test_a_similar_name_is_found_and_said_to_be_similar(gateway: Gateway) -> None:
    async def search(client: Any) -> Any:
        return await client.call_tool("search_cards", {"query": "pokemno 4"})

    found = run(http_session(gateway.url, gateway.key.key), search).structured_content
    assert found["exact"] is False
    assert found["cards"]


def test_it_needs_a_key(gateway: Gateway) -> None:
    assert_problem(gateway.post("/mcp", LIST, key="", headers=HEADERS), 401, "unauthorized")
    key = gateway.store.create("batch-only", scopes=["batch"])
    gateway.app.assembly.key_cache.refresh()
    assert_problem(gateway.post("/mcp", LIST, key=key.key, headers=HEADERS), 403, "forbidden")


def test_a_tool_needs_the_scope_of_its_operation(gateway: Gateway) -> None:
    key = gateway.store.create("read-only", scopes=["read"])
    gateway.app.assembly.key_cache.refresh()
    message = call("value_collection", lines=[{"name": "x"}])
    response = gateway.post("/mcp", message, key=key.key, headers=HEADERS)
    result = response.json()["result"]
    assert result["isError"]
    assert "does not have the scope 'batch'" in result["content"][0]["text"]


def test_a_request_counts_once_towards_the_rate_limit(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mlserver.url, rate="3/minute")
    for left in (2, 1, 0):
        response = gateway.post("/mcp", call("movers"), headers=HEADERS)
        assert response.status_code == 200
        assert f"r={left};" in response.headers["ratelimit"]
        assert response.headers["x-request-id"]
        assert response.headers["x-content-type-options"] == "nosniff"
    assert_problem(gateway.post("/mcp", call("movers"), headers=HEADERS), 429, "rate-limited")


def test_a_request_chooses_the_variant_of_its_calls(gateway: Gateway) -> None:
    headers = HEADERS | {"X-PokeWatch-Variant": "nobody"}
    for tool, arguments in (("movers", {}), ("fair_price", {"card": "card_4"})):
        result = gateway.post("/mcp", call(tool, **arguments), headers=headers).json()["result"]
        assert result["isError"]
        assert "expected champion or challenger, got 'nobody'" in result["content"][0]["text"]


def test_answers_are_compressed_where_that_is_asked(gateway: Gateway) -> None:
    plain, packed = (
        gateway.post("/mcp", LIST, headers=HEADERS | {"Accept-Encoding": coding})
        for coding in ("identity", "gzip")
    )
    assert packed.json() == plain.json()
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


def test_a_page_of_another_site_is_refused(gateway: Gateway) -> None:
    foreign = HEADERS | {"Origin": "https://evil.example"}
    assert_problem(gateway.post("/mcp", LIST, headers=foreign), 403, "forbidden")
    own = HEADERS | {"Origin": gateway.url}
    assert gateway.post("/mcp", LIST, headers=own).status_code == 200


def test_bodies_have_limits(mlserver: Server, make_gateway: Callable[..., Gateway]) -> None:
    gateway = make_gateway(mlserver.url, collection_bytes=2_000)
    large = call("search_cards", query="x" * 3_000)
    assert_problem(gateway.post("/mcp", large, headers=HEADERS), 413, "too-large")
    text = HEADERS | {"Content-Type": "text/plain"}
    response = gateway.ask("POST", "/mcp", headers=text, content=b"{}")
    assert_problem(response, 415, "media-type")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_it_has_no_sessions(gateway: Gateway, method: str) -> None:
    assert_problem(gateway.ask(method, "/mcp", headers=HEADERS), 405, "method-not-allowed")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"nonsense", b'{"jsonrpc":"2.0"}'])
def test_what_is_no_message_is_a_client_error(gateway: Gateway, body: bytes) -> None:
    given = HEADERS | {"X-API-Key": gateway.key.key, "Content-Type": "application/json"}
    response = httpx.post(f"{gateway.url}/mcp", headers=given, content=body)
    assert 400 <= response.status_code < 500
    assert "Traceback" not in response.text


def test_without_a_model_server_a_tool_says_so(make_gateway: Callable[..., Gateway]) -> None:
    gateway = make_gateway("http://127.0.0.1:9")
    result = gateway.post("/mcp", call("movers"), headers=HEADERS).json()["result"]
    assert result["isError"]
    assert "model server" in result["content"][0]["text"]


def test_the_gateway_starts_without_the_extra() -> None:
    code = (
        "import sys; sys.modules['mcp'] = None\n"
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'mcp' else find(name, *rest)\n"
        "import tempfile, pathlib\n"
        "from pokewatch.gateway.app import create_app\n"
        "from pokewatch.gateway.auth.keys import KeyStore\n"
        "from pokewatch.settings import GatewaySettings\n"
        "store = KeyStore(pathlib.Path(tempfile.mkdtemp()) / 'keys')\n"
        "app = create_app(GatewaySettings.read(), store)\n"
        "print('/mcp' in [route.path for route in app.routes])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_tools_that_answer_for_one_market_say_so(both: Gateway) -> None:
    listed = both.post("/mcp", LIST, headers=HEADERS).json()["result"]["tools"]
    market = {each["name"]: each["inputSchema"]["properties"].get("market") for each in listed}
    graded = [{"card_id": "card_4", "grade": "PSA 10"}]
    for tool, arguments in (("value_collection", {"lines": graded}), ("track_record", {})):
        assert "Default: the first of them only" in market[tool]["description"]
        answer = both.post("/mcp", call(tool, **arguments), headers=HEADERS).json()["result"]
        assert answer["structuredContent"]["market"] == "simulated-1"
        if tool == "value_collection":
            assert answer["structuredContent"]["totals"]["copies"] == 0
            caveats = " ".join(answer["structuredContent"]["caveats"])
            assert "not graded copies" in caveats
            assert "grades are" not in caveats


def test_tools_can_be_asked_about_a_market(both: Gateway) -> None:
    async def ask(client: Any) -> dict[str, Any]:
        calls: dict[str, dict[str, Any]] = {
            "fair_price": {"card": "card_4"},
            "judge_listing": {"card": "card_4", "price": 2.0},
            "value_collection": {"lines": [{"card_id": "card_4"}]},
            "search_cards": {"query": "card 4"},
            "track_record": {},
        }
        named = {
            name: await client.call_tool(name, arguments | {"market": "file-europe"})
            for name, arguments in calls.items()
        }
        return named | {"movers": await client.call_tool("movers", {"price": "low", "limit": 50})}

    found = run(http_session(both.url, both.key.key), ask)
    answers = {name: each.structured_content for name, each in found.items()}
    movers = answers.pop("movers")
    assert {(each["market"], each["currency"]) for each in answers.values()} == {
        ("file-europe", "EUR")
    }
    assert movers["market"] is None
    assert {(card["market"], card["currency"]) for card in movers["buy"]} == {
        ("file-europe", "EUR")  # whose signals are stronger
    }
    assert SIMULATED in movers["caveats"]
    assert SIMULATED not in answers["fair_price"]["caveats"]
