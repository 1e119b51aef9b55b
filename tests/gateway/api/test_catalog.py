from collections.abc import Callable
from typing import Any

import pytest

from pokewatch.gateway.api.catalog_calls import cursor_of
from pokewatch.gateway.api.queries import CardsQuery
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.serving.server import Server

CARD = {
    "card_id": "tcgplayer-4-normal",
    "slug": "card_4",
    "name": "Pokémon 4",
    "set_id": "set0",
    "set_name": "Set 0",
    "number": "004/100",
    "rarity": "Common",
    "printing": "Normal",
    "released": "2025-06-01",
    "image_url": None,
    "game": "Pokemon",
    "kind": "single",
    "language": "English",
    "set_code": "S0",
    "market_price": 5.04,
    "low_price": None,
    "fair_price": 5.04,
    "lower": 4.032,
    "upper": 6.3,
    "status": "ok",
    "date": "2026-01-05",
    "forecasts": [
        {
            "horizon": 7,
            "date": "2026-01-12",
            "fair_price": 5.04,
            "lower": 4.032,
            "upper": 6.3,
            "status": "ok",
            "missing": None,
        },
        {
            "horizon": 30,
            "date": "2026-02-04",
            "fair_price": 5.04,
            "lower": 2.52,
            "upper": 10.08,
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
VERSIONS = {
    "market": "simulated-0",
    "currency": "USD",
    "model_version": "7",
    "data_version": "dv-1",
    "stale": False,
}
PRODUCT: dict[str, object] = {"product_id": None, "other_markets": []}


@pytest.mark.parametrize("name", ["card_4", "tcgplayer-4-normal"])
def test_a_card(gateway: Gateway, name: str) -> None:
    body = gateway.get(f"/cards/{name}").json()
    assert body | {"low_price": None} == CARD | PRODUCT | VERSIONS


def test_a_search(gateway: Gateway) -> None:
    body = gateway.get("/cards", params={"set": "set1", "rarity": "Rare"}).json()
    assert [card["slug"] for card in body["cards"]] == ["card_12", "card_15", "card_18"]
    assert body["next"] is None


@pytest.mark.parametrize("limit", [1, 7, 40, 1000])
def test_pages_have_every_card_once(gateway: Gateway, limit: int) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while cursor is not None:
        page = gateway.get("/cards", params={"limit": limit, **cursor}).json()
        found += [card["card_id"] for card in page["cards"]]
        cursor = {"cursor": page["next"]} if page["next"] else None  # type: ignore[assignment]
    assert len(found) == len(set(found)) == 40


def test_a_cursor_is_bound_to_its_search(gateway: Gateway) -> None:
    cursor = gateway.get("/cards", params={"limit": 1}).json()["next"]
    assert gateway.get("/cards", params={"cursor": cursor}).status_code == 200
    assert_problem(
        gateway.get("/cards", params={"cursor": cursor, "q": "Pokémon"}), 404, "unknown-page"
    )


def test_a_listing_ends_where_its_last_card_has_left_the_catalogue(gateway: Gateway) -> None:
    """As with a new version of the data, between two pages."""
    cursor = cursor_of(CardsQuery(limit=1), "simulated-0", "tcgplayer-999-normal")
    response = gateway.get("/cards", params={"limit": 1, "cursor": cursor})
    assert_problem(response, 404, "unknown-page")


def test_a_history_includes_its_first_and_last_day(gateway: Gateway) -> None:
    body = gateway.get(
        "/cards/card_4/history", params={"from": "2026-01-02", "to": "2026-01-03"}
    ).json()
    assert (body["card_id"], body["dates"], body["market_price"]) == (
        "tcgplayer-4-normal",
        ["2026-01-02", "2026-01-03"],
        [5.01, 5.02],
    )


@pytest.mark.parametrize("name", ["card_4x", "Card_4", "CARD 4!", "%E2%82%AC_card_4"])
def test_an_unknown_card_comes_with_similar_ones(gateway: Gateway, name: str) -> None:
    for path in ("", "/history", "/printings"):
        problem: Any = assert_problem(gateway.get(f"/cards/{name}{path}"), 404, "unknown-card")
        assert "card_4" in problem["near"]


def test_movers(gateway: Gateway) -> None:
    body = gateway.get("/movers", params={"buy_threshold_pct": 0, "limit": 3}).json()
    assert [row["signal"] for row in body["buy"]] == ["BUY"] * 3
    assert (body["sell"], body["price"], body["date"]) == ([], "market", "2026-01-05")


@pytest.mark.parametrize(
    ("path", "params", "status", "name", "pointer"),
    [
        ("/cards", {"limit": 0}, 422, "invalid", "?limit"),
        (
            "/cards/card_4/history",
            {"from": "2026-01-03", "to": "2026-01-02"},
            422,
            "invalid",
            "?from",
        ),
        ("/cards", {"limit": "many"}, 422, "invalid", "?limit"),
        ("/cards", {"limit": "1e1"}, 422, "invalid", "?limit"),
        ("/cards", {"limit": "7.0"}, 422, "invalid", "?limit"),
        ("/cards", {"limit": "07"}, 422, "invalid", "?limit"),
        ("/movers", {"days": "07"}, 422, "invalid", "?days"),
        ("/cards", {"name": "x"}, 422, "invalid", "?name"),
        ("/cards?limit=1&limit=2", None, 422, "invalid", "?limit"),
        ("/cards?q=%ff", None, 422, "invalid", "?q"),
        ("/cards", {"cursor": "x"}, 404, "unknown-page", "?cursor"),
        ("/cards/nobody", {}, 404, "unknown-card", None),
        ("/cards/No-Body", {}, 404, "unknown-card", None),
        ("/cards/nobody/history", {}, 404, "unknown-card", None),
        ("/cards/card_4/history", {"from": "soon"}, 422, "invalid", "?from"),
        ("/movers", {"price": "high"}, 422, "invalid", "?price"),
        ("/movers", {"buy_threshold_pct": "nan"}, 422, "invalid", "?buy_threshold_pct"),
    ],
    ids=str,
)
def test_invalid_requests_and_unknown_cards(
    gateway: Gateway, path: str, params: Any, status: int, name: str, pointer: str | None
) -> None:
    problem = assert_problem(gateway.get(path, params=params), status, name)
    assert [fault["pointer"] for fault in problem.get("errors", [])] == (
        [] if pointer is None else [pointer]
    )


def test_similar_cards_are_suggested(gateway: Gateway) -> None:
    assert "card_4" in assert_problem(gateway.get("/cards/cart_4"), 404, "unknown-card")["near"]


@pytest.mark.parametrize(
    "path", ["/cards?limit=2", "/cards/card_4", "/cards/card_4/history", "/movers"]
)
@pytest.mark.parametrize("cached", [False, True], ids=["uncached", "cached"])
def test_entity_tags(
    mlserver: Server, make_gateway: Callable[..., Gateway], path: str, cached: bool
) -> None:
    gateway = make_gateway(mlserver.url, answer_cache=cached)
    first = gateway.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert gateway.get(path).content == first.content
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = gateway.get(path, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in again.headers
    assert gateway.get(path, headers={"If-None-Match": '"other"'}).content == first.content
