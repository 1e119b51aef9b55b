"""GET /cards and /movers of all markets."""

import socket
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.problems import assert_problem
from tests.polling import eventually
from tests.serving.server import Server


def all_pages(gateway: Gateway, **query: Any) -> list[dict[str, Any]]:
    pages = [gateway.get("/cards", params=query).json()]
    while pages[-1]["next"]:
        more = {**query, "cursor": pages[-1]["next"]}
        pages.append(gateway.get("/cards", params=more).json())
    return pages


def test_the_pages_of_all_markets_have_every_card_once(both: Gateway) -> None:
    for limit in (7, 20, 1000):
        pages = all_pages(both, limit=limit)
        found = [(page["market"], card["card_id"]) for page in pages for card in page["cards"]]
        assert len(found) == len(set(found)) == 100
        assert [market for market, _ in found] == ["simulated-1"] * 40 + ["file-europe"] * 60
        assert all(page["cards"] for page in pages)


def test_the_pages_of_one_market(both: Gateway) -> None:
    pages = all_pages(both, limit=25, market="file-europe")
    assert [len(page["cards"]) for page in pages] == [25, 25, 10]
    cursor = pages[0]["next"]
    wrong = both.get("/cards", params={"limit": 25, "market": "simulated-1", "cursor": cursor})
    assert_problem(wrong, 404, "unknown-page")
    assert both.get("/cards", params={"limit": 25, "cursor": cursor}).json() == pages[1]


def test_a_market_without_a_match_is_passed_over(both: Gateway) -> None:
    page = both.get("/cards?q=055").json()
    assert (page["market"], [card["slug"] for card in page["cards"]]) == (
        "file-europe",
        ["card_55"],
    )
    assert both.get("/cards?q=nothing").json()["cards"] == []


def test_movers_are_merged_by_strength(both: Gateway) -> None:
    query = "/movers?price=low&limit=70"
    found = both.get(query).json()
    assert found["market"] is found["currency"] is found["model_version"] is None
    assert {(row["market"], row["currency"]) for row in found["buy"]} == {
        ("simulated-1", "USD"),
        ("file-europe", "EUR"),
    }
    deviations = [row["deviation_pct"] for row in found["buy"]]
    assert len(deviations) == 70
    assert all(one <= two for one, two in pairwise(deviations))
    of_one = [
        row
        for market in ("simulated-1", "file-europe")
        for row in both.get(f"{query}&market={market}").json()["buy"]
    ]
    assert deviations == sorted(row["deviation_pct"] for row in of_one)[:70]
    assert [each["data_version"] for each in found["markets"]] == ["dv-dollars", "dv-euros"]


def test_an_answer_of_several_markets_is_not_sent_again(both: Gateway) -> None:
    for path in ("/cards?limit=3", "/movers?price=low", "/cards/card_4"):
        tag = both.get(path).headers["etag"]
        assert both.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_a_market_that_never_answers_is_left_out(two_markets: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        urls = f"simulated-1={address},file-europe={two_markets.url}"
        # Far beyond the time that the client of the tests waits.
        times: dict[str, Any] = {
            "upstream_seconds": 600,
            "deadline_seconds": 600,
            "merge_seconds": 0.5,
        }
        with gateway_at(two_markets.url, tmp_path, market_urls=urls, **times) as gateway:
            eventually(
                lambda: gateway.get("/movers").json().get("unavailable"), ["simulated-1"].__eq__
            )
            movers = gateway.get("/movers?price=low").json()
            assert {row["market"] for row in movers["buy"]} == {"file-europe"}
            assert [each["market"] for each in movers["markets"]] == ["file-europe"]
            page = gateway.get("/cards?limit=3").json()
            assert (page["market"], page["unavailable"]) == ("file-europe", ["simulated-1"])
            card = gateway.get("/cards/card_4?market=file-europe").json()
            assert card["other_markets"] == []
