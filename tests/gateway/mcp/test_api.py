import asyncio
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


def test_similar_cards_are_named() -> None:
    assert refusal_text("none", ["a", "b"]) == "none; did you mean a, b?"
    assert refusal_text("none") == "none"
