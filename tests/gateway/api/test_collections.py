"""POST /collections/value, through a real gateway and a real MLServer."""

from typing import Any

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem

CSV = "name,set,number,printing,condition,quantity\nPokémon 4,Set 0,4/100,Normal,LP,3\n"


def post(gateway: Gateway, content: bytes, kind: str = "text/csv", **more: Any) -> Any:
    headers = {"content-type": kind}
    return gateway.ask("POST", "/collections/value", content=content, headers=headers, **more)


def test_lines_and_a_file_have_the_same_worth(gateway: Gateway) -> None:
    line = {"name": "Pokémon 4", "set": "Set 0", "number": "4/100", "printing": "Normal"}
    request = {"lines": [line | {"condition": "LP", "quantity": 3}]}
    answer = gateway.post("/collections/value", request)
    assert answer.status_code == 200, answer.text
    by_lines, by_file = answer.json(), post(gateway, CSV.encode()).json()
    (found,) = by_lines["lines"]
    assert (found["card"], found["outcome"], found["quantity"]) == ("card_4", "matched", 3)
    assert found["market_price"] == pytest.approx(5.04 * 0.85, abs=0.01)
    assert by_lines["totals"]["market"] == pytest.approx(5.04 * 0.85 * 3, abs=0.01)
    for body in (by_lines, by_file):
        del body["request_id"]
        body["lines"][0].pop("line")
    assert by_lines == by_file


@pytest.mark.parametrize(("cost", "kept"), [(3.123456, 3.123456), (1.005, 1.005), (0.0, None)])
def test_a_cost_of_a_line_is_kept_as_that_of_a_file(
    gateway: Gateway, cost: float, kept: float | None
) -> None:
    lines = [{"card_id": "card_4", "quantity": 1000, "cost": cost}]
    (line,) = gateway.post("/collections/value", {"lines": lines}).json()["lines"]
    assert line["cost"] == kept
    assert line["cost_total"] == (kept and round(kept * 1000, 2))


def test_a_price_is_that_of_the_api(gateway: Gateway) -> None:
    request = {"lines": [{"card_id": "card_7"}, {"card_id": "card_9"}]}
    found = gateway.post("/collections/value", request).json()
    for line in found["lines"]:
        value = gateway.post("/fair_price", {"card_id": line["card"]}).json()
        assert line["market_price"] == value["market_price"]
        assert line["signal"] == value["signal"]
    assert found["lines"][0]["why_unvalued"] == "the card has no market price on this day"
    assert found["totals"]["copies"] == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_in_any_encoding(gateway: Gateway, encoding: str) -> None:
    found = post(gateway, CSV.encode(encoding)).json()
    assert found["counts"]["matched"] == {"lines": 1, "copies": 3}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "header"),
        (b"date,price\n2026-01-01,3\n", "no column names the cards"),
        (b"name\n\x00\n", "NUL"),
        (b'name\n"open\n', "line"),
        (b"name,quantity\n" + b"Pokemon 4,1\n" * 10_001, "10,001 lines"),
    ],
    ids=["empty", "no cards", "nul", "quote", "too many"],
)
def test_a_file_that_cannot_be_read_is_explained(
    gateway: Gateway, content: bytes, text: str
) -> None:
    problem = assert_problem(post(gateway, content), 409, "unreadable-file")
    assert text in problem["detail"]


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        ({"quantity": -1}, "/lines/0/quantity"),
        ({"quantity": "2"}, "/lines/0/quantity"),
        ({"copies": 2}, "/lines/0/copies"),
        ({"name": "x" * 501}, "/lines/0/name"),
    ],
)
def test_invalid_lines_are_pointed_to(gateway: Gateway, line: Any, pointer: str) -> None:
    answer = gateway.post("/collections/value", {"lines": [line]})
    problem = assert_problem(answer, 422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer


def test_fees(gateway: Gateway) -> None:
    request = {"lines": [{"card_id": "card_9"}]}
    ebay = gateway.post("/collections/value", request | {"fees": "ebay"}).json()
    assert ebay["fees"] == "ebay"
    assert gateway.post("/collections/value?fees=ebay", request).json()["fees"] == "ebay"
    answer = gateway.post("/collections/value", request | {"fees": "cardmarket"})
    assert "EUR" in assert_problem(answer, 409, "other-currency")["detail"]


def test_other_bodies_are_refused(gateway: Gateway) -> None:
    assert_problem(post(gateway, b"x", "application/pdf"), 415, "media-type")
    assert_problem(post(gateway, b"x" * 5_000_000), 413, "too-large")
    read = gateway.store.create("reads", scopes=("read",))
    assert_problem(post(gateway, CSV.encode(), key=read.key), 403, "forbidden")


def test_an_empty_collection(gateway: Gateway) -> None:
    found = gateway.post("/collections/value", {"lines": []}).json()
    assert (found["lines"], found["totals"]["market"]) == ([], 0)


def test_ten_thousand_lines(gateway: Gateway) -> None:
    lines = [{"name": f"Pokémon {i % 40}", "number": f"{i % 40:03}/100"} for i in range(10_000)]
    found = gateway.post("/collections/value", {"lines": lines}).json()
    assert found["counts"]["matched"]["lines"] == 10_000


def test_cards_are_resolved_in_their_order(gateway: Gateway) -> None:
    cards = [
        {"name": "Pokémon 4", "set": "Set 0", "number": "4/100"},
        {"name": "Nobody"},
        {},
        {"card_id": "card_5"},
    ]
    answer = gateway.post("/cards/resolve", {"cards": cards})
    assert answer.status_code == 200
    found = answer.json()
    assert found["model_version"] == "7"
    assert [card["outcome"] for card in found["cards"]] == [
        "matched",
        "unmatched",
        "unmatched",
        "matched",
    ]
    assert [card["card"] for card in found["cards"]] == ["card_4", None, None, "card_5"]
    assert found["cards"][0]["card_id"] == "tcgplayer-4-normal"
    assert found["cards"][2]["reason"] == "it names no card"
    assert gateway.post("/cards/resolve", {"cards": []}).json()["cards"] == []
    assert gateway.post("/cards/resolve", {"cards": [{"quantity": 2}]}).status_code == 422
