"""The answers in `/docs`, from what a real MLServer serves."""

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from pokewatch.gateway.api.answer_examples import shortened
from pokewatch.gateway.api.openapi import document
from tests.gateway.conftest import Gateway
from tests.serving.server import Server

OPERATIONS = {
    operation["operationId"]: operation
    for methods in document()["paths"].values()
    for operation in methods.values()
}
WITHOUT_ANSWER = {
    *("docs", "openapi"),
    *("track_record_csv", "track_record_parquet", "export_csv", "export_parquet"),
    *("watches", "watch", "watch_create", "watch_remove"),
}


def examples(page: str) -> dict[str, Any]:
    """Return the answers in the page, by operation."""
    found = {}
    for name, operation in re.findall(r'<details id="(\w+)">(.*?)</details>', page, re.DOTALL):
        answer = re.search(r"<pre class='answer' tabindex='0'>(.*?)</pre>", operation, re.DOTALL)
        if answer:
            found[name] = json.loads(html.unescape(answer[1]))
    return found


@pytest.fixture(scope="module")
def shown(gateway: Gateway) -> dict[str, Any]:
    return examples(gateway.get("/docs", key="").text)


def test_every_operation_with_a_json_answer_has_one(shown: dict[str, Any]) -> None:
    assert OPERATIONS.keys() - shown.keys() == WITHOUT_ANSWER


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("card", "/cards/card_0"),
        ("set", "/sets/set0"),
        ("index", "/index"),
        ("track_record", "/track-record"),
    ],
)
def test_it_is_the_answer_of_the_api(
    gateway: Gateway, shown: dict[str, Any], name: str, path: str
) -> None:
    assert shown[name] == shortened(gateway.get(path).json())


def test_an_example_with_a_body(gateway: Gateway, shown: dict[str, Any]) -> None:
    body = {"card_id": "card_0", "market_price": shown["fair_price"]["market_price"]}
    answer = gateway.post("/fair_price", body).json()
    assert {**shown["fair_price"], "request_id": ""} == {**answer, "request_id": ""}


def test_lists_are_shortened() -> None:
    value = {"a": [1, 2, 3, 4], "b": [[1, 2, 3]], "c": []}
    assert shortened(value) == {"a": [1, 2, "… 2 more"], "b": [[1, 2, "… 1 more"]], "c": []}


def test_pages_with_keys_show_no_answers(
    make_gateway: Callable[..., Gateway], mlserver: Server
) -> None:
    gateway = make_gateway(mlserver.url, pages="key")
    page = gateway.get("/docs", key="").text
    assert examples(page) == {}


def test_without_a_model_server_the_page_is_whole(make_gateway: Callable[..., Gateway]) -> None:
    page = make_gateway("http://127.0.0.1:9", connect_seconds=0.2).get("/docs", key="").text
    assert not {"fair_price", "card", "movers"} & examples(page).keys()
    assert "<!--" not in page
    assert "POST" in page
