"""Batches of catalogue queries, as the page of a card sends them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.gateway.tampering import Tamper, TamperingServer

BROWSER = {"Accept": "text/html"}


def catalogue_calls(tampering_server: TamperingServer) -> list[str]:
    return [
        path
        for path in tampering_server.asked
        if path.startswith("/catalog/") and "status" not in path
    ]


def test_a_page_asks_once_for_all_that_is_not_cached(
    behind: Gateway, tampering_server: TamperingServer
) -> None:
    tampering_server.asked.clear()
    assert behind.get("/cards/card_4", headers=BROWSER).status_code == 200
    assert catalogue_calls(tampering_server) == ["/catalog/batch"]
    tampering_server.asked.clear()
    assert behind.get("/cards/card_4?range=1m", headers=BROWSER).status_code == 200
    assert catalogue_calls(tampering_server) == ["/catalog/history"]  # the rest is cached


def test_an_unknown_card_of_a_batch_comes_with_similar_ones(behind: Gateway) -> None:
    found = behind.get("/cards/card_404", headers=BROWSER)
    assert found.status_code == 404
    assert 'href="/cards/card_4"' in found.text


def answers(alter: Callable[[list[dict[str, Any]]], object]) -> Tamper:
    def tamper(content: dict[str, Any]) -> None:
        alter(content["answers"])

    return tamper


FAULTS: dict[str, Tamper] = {
    "no answers": lambda content: {"error": None},
    "an answer missing": answers(list.pop),
    "an answer too many": answers(lambda found: found.append(found[0])),
    "answers in another order": answers(list.reverse),
    "an answer without prices": answers(lambda found: found[0]["body"].pop("fair_price")),
    "an answer without versions": answers(lambda found: found[0]["body"].pop("model_version")),
    "a failed query": answers(lambda found: found[1].update(status=500, body={"error": "x"})),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_batch_is_no_page(
    behind: Gateway, tampering_server: TamperingServer, fault: str
) -> None:
    tampering_server.tampers["/catalog/batch"] = FAULTS[fault]
    assert behind.get("/cards/card_4", headers=BROWSER).status_code == 502
    tampering_server.tampers.clear()
    assert behind.get("/cards/card_4", headers=BROWSER).status_code == 200


def test_a_page_and_the_api_agree_on_what_a_batch_brought(behind: Gateway) -> None:
    assert behind.get("/cards/card_4?range=all", headers=BROWSER).status_code == 200
    cached = behind.get("/cards/card_4/history").content
    other = behind.get("/cards/card_4/history?from=2026-01-01").content
    assert json.loads(cached) == json.loads(other)


def test_a_query_that_an_older_model_server_lacks_is_reported_once_and_is_no_failure(
    behind: Gateway, tampering_server: TamperingServer, caplog: pytest.LogCaptureFixture
) -> None:
    tampering_server.renamed["/catalog/names"] = "/catalog/of_a_newer_release"
    for _ in range(3):
        found = behind.get("/cards/card_404", headers=BROWSER)
        assert found.status_code == 404
        assert 'href="/cards/card_4"' in found.text
    assert [record.message for record in caplog.records] == [
        "the model server is older than the gateway and lacks a query"
    ]
    assert caplog.records[0].__dict__["query"] == "names"


def test_a_query_about_a_card_that_is_lacking_is_not_an_unknown_card(
    behind: Gateway, tampering_server: TamperingServer
) -> None:
    tampering_server.renamed["/catalog/printings"] = "/catalog/of_a_newer_release"
    problem = assert_problem(behind.get("/cards/card_4/printings"), 502, "upstream-fault")
    assert problem["detail"] == (
        "the model server is older than the gateway and lacks the query 'printings'"
    )
