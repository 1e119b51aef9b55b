from typing import Any

import httpx
import pytest

from pokewatch.contract import MAX_NEAR, MAX_QUERIES
from pokewatch.settings import DecisionSettings
from tests.serving.server import Server


def ask(server: Server, query: str, payload: Any = None) -> httpx.Response:
    return httpx.post(f"{server.url}/catalog/{query}", json=payload)


def answer(server: Server, query: str, payload: Any = None) -> dict[str, Any]:
    response = ask(server, query, payload)
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    assert (content.pop("model_version"), content.pop("data_version"), content.pop("run_id")) == (
        "7",
        "dv-1",
        "run-1",
    )
    return content


@pytest.mark.parametrize("payload", [{}, None], ids=["empty", "null"])
def test_the_status_describes_the_served_book(server: Server, payload: Any) -> None:
    assert answer(server, "status", payload) == {
        "created_at": "2026-03-01T02:00:00+00:00",
        "first_day": "2026-01-01",
        "last_day": "2026-01-05",
        "cards": 40,
        "games": ["Pokemon"],
        "market": "simulated-0",
        "horizon": 7,
        "model": "local_level",
        "currency": "USD",
        "source": "simulated",
        "metrics": {"mape": 4.2},
        "skill": "too few periods to tell",
        "not_evaluated": None,
        "record": "",
        "canary": None,
        "settings": DecisionSettings.read().digest(),
    }


def test_a_batch_answers_each_query_alone(server: Server) -> None:
    queries = [
        {"query": "card", "payload": {"card_id": "card_2"}},
        {"query": "history", "payload": {"card_id": "nobody"}},
        {"query": "search", "payload": {"limit": 0}},
        {"query": "batch", "payload": {"queries": []}},
    ]
    found = answer(server, "batch", {"queries": queries})["answers"]
    assert [each["status"] for each in found] == [200, 404, 422, 404]
    assert found[0]["body"] == ask(server, "card", {"card_id": "card_2"}).json()
    assert found[1]["body"] == ask(server, "history", {"card_id": "nobody"}).json()
    assert "limit" in found[2]["body"]["error"]
    assert "unknown query 'batch'" in found[3]["body"]["error"]


@pytest.mark.parametrize("count", [0, MAX_QUERIES + 1])
def test_a_batch_of_no_or_too_many_queries_is_refused(server: Server, count: int) -> None:
    refused = ask(server, "batch", {"queries": [{"query": "status", "payload": {}}] * count})
    assert refused.status_code == 422
    assert "queries" in refused.json()["error"]


def test_card(server: Server) -> None:
    expected = {
        "card_id": "tcgplayer-2-normal",
        "slug": "card_2",
        "name": "Pokémon 2",
        "set_id": "set0",
        "set_name": "Set 0",
        "number": "002/100",
        "rarity": "Common",
        "printing": "Normal",
        "released": "2025-06-01",
        "image_url": None,
        "game": "Pokemon",
        "kind": "single",
        "language": "English",
        "set_code": "S0",
        "market_price": 3.04,
        "low_price": 2.28,
        "fair_price": 3.04,
        "lower": 2.432,
        "upper": 3.8,
        "status": "ok",
        "date": "2026-01-05",
        "market": "simulated-0",
        "product_id": None,
        "currency": "USD",
        "forecasts": [
            {
                "horizon": 7,
                "date": "2026-01-12",
                "fair_price": 3.04,
                "lower": 2.432,
                "upper": 3.8,
                "status": "ok",
                "missing": None,
            },
            {
                "horizon": 30,
                "date": "2026-02-04",
                "fair_price": 3.04,
                "lower": 1.52,
                "upper": 6.08,
                "status": "ok",
                "missing": None,
            },
            {
                "horizon": 90,
                "date": "2026-04-05",
                "fair_price": None,
                "lower": None,
                "upper": None,
                "status": "thin_history",
                "missing": "5 days of prices, 181 are needed",
            },
        ],
    }
    assert answer(server, "card", {"card_id": "card_2"}) == expected
    assert answer(server, "card", {"card_id": "tcgplayer-2-normal"}) == expected


def test_an_unknown_card_lists_similar_ones(server: Server) -> None:
    for query in ("card", "history"):
        response = ask(server, query, {"card_id": "card_2x"})
        assert response.status_code == 404
        assert response.json()["error"] == "unknown card 'card_2x'"
        assert "card_2" in response.json()["near"]


def test_search_in_pages(server: Server) -> None:
    first = answer(server, "search", {"q": "pokemon", "rarity": "rare", "limit": 10})
    second = answer(
        server, "search", {"q": "pokemon", "rarity": "rare", "limit": 10, "after": first["next"]}
    )
    assert [card["slug"] for card in first["cards"] + second["cards"]] == [
        f"card_{i}" for i in range(0, 40, 3)
    ]
    assert second["next"] is None
    assert first["cards"][1]["market_price"] == 4.04


def test_a_full_last_page_has_no_next(server: Server) -> None:
    assert answer(server, "search", {"set": "Set 3", "limit": 10})["next"] is None


def test_a_history_is_columns_by_day(server: Server) -> None:
    assert answer(
        server, "history", {"card_id": "card_1", "from": "2026-01-04", "to": "2026-02-01"}
    ) == {
        "card_id": "tcgplayer-1-normal",
        "slug": "card_1",
        "dates": ["2026-01-04", "2026-01-05"],
        "market_price": [2.03, 2.04],
        "low_price": [1.52, 1.53],
        "fair_price": [None, None],
        "lower": [None, None],
        "upper": [None, None],
        "status": ["thin_history", "thin_history"],
        "market": "simulated-0",
        "currency": "USD",
    }


def test_movers_by_lowest_ask(server: Server) -> None:
    found = answer(server, "movers", {"price": "low", "limit": 3})
    assert found["sell"] == []
    assert len(found["buy"]) == 3
    first = found["buy"][0]
    assert first["signal"] == "BUY"
    assert first["deviation_pct"] == pytest.approx(
        first["low_price"] / first["fair_price"] - 1, abs=1e-9
    )
    assert 0.5 < first["confidence"] < 1
    assert "card_1" not in [card["slug"] for card in found["buy"]]
    deviations = [card["deviation_pct"] for card in found["buy"]]
    assert deviations == sorted(deviations)


def test_no_movers_when_all_prices_are_fair(server: Server) -> None:
    found = answer(server, "movers")
    assert (found["date"], found["buy"], found["sell"]) == ("2026-01-05", [], [])


@pytest.mark.parametrize(
    ("query", "payload", "named"),
    [
        ("card", {}, "card_id"),
        ("card", {"card_id": 3}, "card_id"),
        ("card", [], "the body"),
        ("search", {"limit": 0}, "limit"),
        ("search", {"limit": 1001}, "limit"),
        ("search", {"limit": "many"}, "limit"),
        ("search", {"page": 2}, "page"),
        ("history", {"card_id": "card_1", "from": "soon"}, "from"),
        ("movers", {"price": "high"}, "price"),
        ("movers", {"buy_threshold_pct": 0.5}, "buy_threshold_pct"),
    ],
    ids=str,
)
def test_invalid_parameters_are_named(server: Server, query: str, payload: Any, named: str) -> None:
    response = ask(server, query, payload)
    assert response.status_code == 422
    assert response.json()["error"].startswith(f"{named}: ")


def test_an_unknown_query_names_the_known_ones(server: Server) -> None:
    response = ask(server, "weather", {})
    assert (response.status_code, "expected one of status" in response.json()["error"]) == (
        404,
        True,
    )


def test_near_has_similar_slugs_for_each_card(server: Server) -> None:
    assert answer(server, "near", {"cards": ["card_4x", "CARD 7"]})["near"] == [
        ["card_4", "card_14", "card_24"],
        ["card_7", "card_17", "card_27"],
    ]
    assert ask(server, "near", {"cards": ["x"] * (MAX_NEAR + 1)}).status_code == 422
