import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pokewatch.gateway.mcp.api import ApiError, HttpApi, refusal_text
from tests.gateway.conftest import Gateway


def call(api: HttpApi, *arguments: Any) -> dict[str, Any]:
    return asyncio.run(api.call(*arguments))


def test_it_calls_operations_with_the_key(gateway: Gateway) -> None:
    api = HttpApi(f"{gateway.url}/", gateway.key.key)
    found = call(api, "GET", "/cards", {"q": "Pokémon 4", "limit": 1}, None)
    assert [card["slug"] for card in found["cards"]] == ["card_4"]
    priced = call(api, "POST", "/fair_price", {}, {"card_id": "card_4"})
    assert priced["fair_price"] == 5.04


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/cards/card_4x", "no card has the id or slug 'card_4x'; did you mean card_4, "),
        ("/nowhere", "no route matches this path"),
    ],
)
def test_a_problem_is_its_text(gateway: Gateway, path: str, message: str) -> None:
    with pytest.raises(ApiError, match=f"^{message}"):
        call(HttpApi(gateway.url, gateway.key.key), "GET", path, {}, None)


def test_an_answer_that_is_no_json_is_an_error(gateway: Gateway) -> None:
    with pytest.raises(ApiError, match="does not answer as a PokeWatch gateway"):
        call(HttpApi(gateway.url, gateway.key.key), "GET", "/docs", {}, None)


@pytest.fixture
def strange(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that answers one request with the bytes of the parameter."""

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(request.param)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: "


@pytest.mark.parametrize(
    "strange",
    [b"garbage\r\n\r\n", OK + b"99\r\n\r\n{", OK + b"2\r\n\r\n[]", OK + b"1\r\n\r\n\xff"],
    ids=["no HTTP", "cut short", "a list", "no UTF-8"],
    indirect=True,
)
def test_a_server_that_is_no_gateway_is_an_error(strange: str) -> None:
    with pytest.raises(ApiError, match="does not answer as a PokeWatch gateway"):
        call(HttpApi(strange, "key"), "GET", "/markets", {}, None)


MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("strange", [MOVED], indirect=True, ids=["moved"])
def test_the_key_does_not_follow_a_redirect(strange: str) -> None:
    with pytest.raises(ApiError, match="the gateway answered with the status 302"):
        call(HttpApi(strange, "key"), "GET", "/markets", {}, None)


@pytest.mark.parametrize("key", ["a\nb", "a\u20ac"])
def test_a_key_that_no_header_can_have_is_named(key: str) -> None:
    with pytest.raises(ApiError, match="the API key has characters that no key has"):
        call(HttpApi("http://127.0.0.1:9", key), "GET", "/markets", {}, None)


def test_similar_cards_are_named() -> None:
    assert refusal_text("none", ["a", "b"]) == "none; did you mean a, b?"
    assert refusal_text("none") == "none"
