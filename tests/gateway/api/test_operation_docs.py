"""The curl lines and fields of `/docs`, on a real gateway."""

import html
import os
import re
import subprocess

import pytest

from pokewatch.gateway.api.openapi import document
from pokewatch.gateway.api.operation_docs import answer_fields
from tests.gateway.conftest import Gateway

OPERATIONS = {
    operation["operationId"]: operation
    for methods in document()["paths"].values()
    for operation in methods.values()
}


def test_each_curl_line_works_on_what_is_served(gateway: Gateway) -> None:
    page = gateway.get("/docs", key="").text
    found = re.findall(r"<h3>By curl</h3><pre>(.*?)</pre>", page, re.DOTALL)
    assert len(found) == len(OPERATIONS)
    environment = {**os.environ, "POKEWATCH": gateway.url, "KEY": gateway.key.key}
    for text in found:
        line = html.unescape(text)
        if "/sets/SET" in line:
            line = line.replace("SET", "set0")
        if "/watches/WATCH" in line:
            watched = {"card_id": "card_4", "condition": {"type": "signal", "signal": "BUY"}}
            watch_id = gateway.post("/watches", watched).json()["id"]
            line = line.replace("/WATCH", f"/{watch_id}")
        command = f"{line} -o /dev/null -w '%{{http_code}}'"
        status = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=30
        )
        assert status.stdout == "200", line


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("fair_price", ["buy_below", "sell_above", "chance_to_earn", "stale"]),
        ("cards", ["cards", "cards[].fair_price", "next"]),
        ("collection_value", ["totals.lower", "lines[].advice", "request_id"]),
    ],
)
def test_the_fields_of_an_answer_are_listed(name: str, fields: list[str]) -> None:
    table = answer_fields(OPERATIONS[name], document()["components"]["schemas"])
    for field in fields:
        assert f"<code>{field}</code>" in table


def test_a_text_has_no_fields() -> None:
    assert answer_fields(OPERATIONS["docs"], {}) == ""
