from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import log
from statistics import NormalDist
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pokewatch.contract import MAX_NEAR
from pokewatch.decision import LEVELS, Distribution, predictive_cdf
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.gateway.tampering import PickyServer, tampering
from tests.serving.server import Server


def test_a_batch_has_an_answer_or_a_problem_for_each_card(gateway: Gateway) -> None:
    cards: list[Any] = [
        {"card_id": "card_4"},
        {"card_id": "nobody"},
        {"card_id": "card_4", "date": "soon"},
        {"card_id": "card_4", "market_price": 4.0},
        {"card_id": "card_5", "date": "2026-01-01"},
        {"card_id": "card_4", "date": "2020-01-01"},
        "card_4",
        {"card_id": "card_1"},
    ]
    response = gateway.post("/fair_price/batch", {"cards": cards})
    assert response.status_code == 200, response.text
    found = response.json()["predictions"]
    assert [row.get("signal") or row["problem"]["type"] for row in found] == [
        "HOLD",
        "/docs#unknown-card",
        "/docs#invalid",
        "BUY",
        "HOLD",
        "/docs#unknown-date",
        "/docs#invalid",
        "HOLD",
    ]
    assert found[2]["problem"]["errors"][0]["pointer"] == "/date"
    alone = gateway.post("/fair_price", cards[3]).json()
    assert {**found[3], "as_of": ""} == {
        name: value for name, value in alone.items() if name not in ("stale", "request_id")
    } | {"as_of": ""}


def test_confidence_is_that_of_the_distribution_in_the_book(gateway: Gateway) -> None:
    """Of an offer: 4.5 is below the quote of 5.04, at which the price stays with 0.5."""
    cards = [{"card_id": "card_4", "market_price": 4.5}, {"card_id": "card_4"}]
    response = gateway.post("/fair_price/batch", {"cards": cards})
    buy, hold = response.json()["predictions"]
    logs = log(5.04) + 0.125 * np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    book = Distribution(np.array(5.04), np.array(0.5), np.array(0.005), logs)
    offered, below, until = predictive_cdf(book, np.array([4.5, 5.04 * 0.9, 5.04 * 1.15]))
    assert buy["signal"] == "BUY"
    assert buy["confidence"] == pytest.approx(1 - offered, abs=1e-4)
    assert hold["confidence"] == pytest.approx(until - below, abs=1e-4)


NO_MARKET_PRICE = {
    "card_id": "tcgplayer-7-normal",
    "date": "2026-01-05",
    "market_price": None,
    "fair_price": 8.04,
    "deviation_pct": None,
    "signal": "HOLD",
    "lower": 6.432,
    "upper": 10.05,
    "confidence": None,
    "reason": "no_market_price",
    "status": "ok",
    "buy_below": None,
    "sell_above": None,
    "chance_to_earn": None,
    "advice": "no_market_price",
    "currency": "USD",
    "model_version": "7",
    "data_version": "dv-1",
}


def test_a_card_without_a_market_price_is_answered(gateway: Gateway) -> None:
    response = gateway.post("/fair_price", {"card_id": "card_7"})
    assert response.status_code == 200, response.text
    assert NO_MARKET_PRICE.items() <= response.json().items()


def test_an_offer_for_a_card_without_a_market_price_is_judged(gateway: Gateway) -> None:
    body = gateway.post("/fair_price", {"card_id": "card_7", "market_price": 6.0}).json()
    assert (body["market_price"], body["signal"], body["reason"]) == (6.0, "BUY", "below_threshold")
    assert 0.5 < body["confidence"] < 1


def test_advice_in_money(gateway: Gateway) -> None:
    body = gateway.post("/fair_price", {"card_id": "card_30"}).json()
    assert (body["advice"], body["currency"]) == ("ok", "USD")
    assert 0 < body["buy_below"] < body["fair_price"] < body["sell_above"] < body["upper"]
    bargain = {"card_id": "card_30", "market_price": body["buy_below"]}
    offered = gateway.post("/fair_price", bargain).json()
    assert offered["buy_below"] == body["buy_below"]
    assert offered["chance_to_earn"] >= 0.8 > body["chance_to_earn"]


def test_fees_of_the_request(gateway: Gateway) -> None:
    fees = ("tcgplayer", "ebay")
    found = [gateway.post("/fair_price", {"card_id": "card_30", "fees": each}) for each in fees]
    usual = gateway.post("/fair_price", {"card_id": "card_30"}).json()
    for each in found:  # both take 13.25% and 0.30
        assert each.json()["buy_below"] == usual["buy_below"]


def test_fees_in_another_currency_than_the_card(gateway: Gateway) -> None:
    card = {"card_id": "card_30", "fees": "cardmarket"}
    problem = assert_problem(gateway.post("/fair_price", card), 409, "other-currency")
    assert problem["detail"] == "the fees of cardmarket are in EUR, the prices in USD"
    rows = gateway.post("/fair_price/batch", {"cards": [{"card_id": "card_30"}, card]}).json()
    assert [row.get("advice") for row in rows["predictions"]] == ["ok", None]
    signal = {"market_price": 90.0, "fair_price": 100.0, "fees": "cardmarket"}
    detail = assert_problem(gateway.post("/signal", signal), 409, "other-currency")["detail"]
    assert "the fees of cardmarket are in EUR, the prices in USD" in detail


@pytest.mark.parametrize(("condition", "factor"), [("NM", 1.0), ("LP", 0.85), ("DMG", 0.35)])
def test_a_copy_in_another_condition_is_judged_against_the_fair_price_times_a_factor(
    gateway: Gateway, condition: str, factor: float
) -> None:
    mint = gateway.post("/fair_price", {"card_id": "card_30"}).json()
    copy = {"card_id": "card_30", "market_price": 20.0, "condition": condition}
    found = gateway.post("/fair_price", copy).json()
    for name in ("fair_price", "lower", "upper"):
        assert found[name] == pytest.approx(factor * mint[name])
    assert found["deviation_pct"] == pytest.approx(20.0 / (factor * mint["fair_price"]) - 1)
    assert found["sell_above"] == pytest.approx(factor * mint["sell_above"], abs=0.02)
    usual = gateway.post("/fair_price", {"card_id": "card_30", "condition": condition}).json()
    assert usual["market_price"] == pytest.approx(factor * mint["market_price"])
    assert usual["deviation_pct"] == pytest.approx(mint["deviation_pct"])


@pytest.mark.parametrize(
    ("card", "pointer"),
    [
        ({"condition": "mint", "market_price": 1.0}, "/condition"),
        ({"fees": "shop"}, "/fees"),
    ],
)
def test_conditions_and_fees_that_are_refused(
    gateway: Gateway, card: dict[str, Any], pointer: str
) -> None:
    answer = gateway.post("/fair_price", {"card_id": "card_30", **card})
    assert assert_problem(answer, 422, "invalid")["errors"][0]["pointer"] == pointer


def test_a_signal_with_an_interval_has_advice(gateway: Gateway) -> None:
    prices = {"market_price": 70.0, "fair_price": 100.0}
    found = gateway.post("/signal", {**prices, "lower": 80.0, "upper": 125.0}).json()
    assert (found["buy_below"], found["sell_above"]) == (75.78, 112.1)
    assert found["chance_to_earn"] > 0.8
    assert (found["advice"], found["currency"]) == ("ok", "USD")
    without = gateway.post("/signal", prices).json()
    assert (without["buy_below"], without["advice"]) == (None, "no_interval")


def test_every_answer_with_amounts_has_their_currency(gateway: Gateway) -> None:
    for path in ("/cards?limit=1", "/cards/card_4", "/cards/card_4/history", "/movers", "/ready"):
        assert gateway.get(path).json()["currency"] == "USD", path


def test_a_card_without_a_market_price_in_a_batch(gateway: Gateway) -> None:
    cards = [
        {"card_id": "card_7"},
        {"card_id": "card_4"},
        {"card_id": "card_7", "market_price": 12.0},
        {"card_id": "nobody"},
    ]
    response = gateway.post("/fair_price/batch", {"cards": cards})
    assert response.status_code == 200, response.text
    found = response.json()["predictions"]
    assert NO_MARKET_PRICE.items() <= found[0].items()
    assert [row.get("reason") for row in found[1:]] == [
        "within_thresholds",
        "above_threshold",
        None,
    ]


def test_a_card_without_a_market_price_in_the_catalogue(gateway: Gateway) -> None:
    for card in (
        gateway.get("/cards/card_7").json(),
        gateway.get("/cards?q=pokemon+7").json()["cards"][0],
    ):
        assert (card["slug"], card["market_price"], card["fair_price"]) == ("card_7", None, 8.04)
    assert gateway.get("/cards/card_7/history").json()["market_price"] == [
        8.0,
        8.01,
        8.02,
        8.03,
        None,
    ]
    movers = gateway.get("/movers", params={"limit": 50, "buy_threshold_pct": 0}).json()
    slugs = [row["slug"] for row in movers["buy"]]
    assert len(slugs) == 38
    assert "card_7" not in slugs


CARDS = st.fixed_dictionaries(
    {
        "card_id": st.sampled_from(
            ["card_4", "tcgplayer-5-normal", "card_7", "card_1", "nobody", "Card 4", ""]
        )
    },
    optional={
        "date": st.sampled_from(["2026-01-03", "2026-01-05", "2026-01-09", "2020-01-01", "soon"]),
        "market_price": st.sampled_from([4.0, 9.0, 1e6, 0.001, 0.0, None, "5"]),
    },
)


def test_rows_are_independent(gateway: Gateway) -> None:
    alone: dict[str, dict[str, Any]] = {}
    with httpx.Client(
        base_url=gateway.url, headers={"X-API-Key": gateway.key.key}, timeout=30
    ) as client:

        def answer(row: dict[str, Any]) -> dict[str, Any]:
            key = repr(row)
            if key not in alone:
                alone[key] = _comparable(client.post("/fair_price", json=row).json())
            return alone[key]

        @settings(
            max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.lists(CARDS, min_size=1, max_size=12))
        def run(rows: list[dict[str, Any]]) -> None:
            response = client.post("/fair_price/batch", json={"cards": rows})
            assert response.status_code == 200, response.text
            found = [_comparable(row.get("problem", row)) for row in response.json()["predictions"]]
            assert found == [answer(row) for row in rows]

        run()


def _comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Drop the members that differ between requests."""
    return {
        name: value
        for name, value in answer.items()
        if name not in ("as_of", "stale", "request_id")
    }


@pytest.fixture
def picky(mlserver: Server) -> Iterator[PickyServer]:
    with tampering(mlserver.url, PickyServer) as found:
        yield found


@pytest.mark.parametrize(
    "refused",
    [{"card_5"}, {"card_4", "card_6"}, {"card_4", "card_5", "card_6"}],
    ids=lambda cards: " ".join(sorted(cards)),
)
@pytest.mark.parametrize("model", ["fair-price", "decision"])
def test_a_refused_row_does_not_affect_others(
    picky: PickyServer, make_gateway: Callable[..., Gateway], model: str, refused: set[str]
) -> None:
    gateway = make_gateway(picky.url, breaker_failures=100)
    picky.refuses(model, refused)
    cards = ["card_4", "card_5", "card_6"]
    response = gateway.post("/fair_price/batch", {"cards": [{"card_id": card} for card in cards]})
    assert response.status_code == 200, response.text
    problems = [row.get("problem", {}).get("type") for row in response.json()["predictions"]]
    kind = "/docs#invalid" if model == "fair-price" else "/docs#upstream-fault"
    assert problems == [kind if card in refused else None for card in cards]
    for card in cards:
        status = 200 if card not in refused else 422 if model == "fair-price" else 502
        assert gateway.post("/fair_price", {"card_id": card}).status_code == status
    if model == "decision":
        tensor = {"name": "card_id", "shape": [3], "datatype": "BYTES", "data": cards}
        answer = gateway.post("/v2/models/pokewatch/infer", {"inputs": [tensor]}).json()
        outputs = {output["name"]: output["data"] for output in answer["outputs"]}
        assert [reason == "not_judged" for reason in outputs["reason"]] == [
            card in refused for card in cards
        ]
        assert outputs["fair_price"] == [5.04, 6.04, 7.04]


@pytest.mark.parametrize(
    ("price", "pointer"),
    [
        ("1e308", "/market_price"),
        ("1e999", "/market_price"),
        ("9" * 5_000, "/..."),
        ("[[1]]", "/market_price"),
    ],
    ids=["large", "infinite", "long", "list"],
)
def test_an_invalid_price_does_not_affect_others(
    gateway: Gateway, price: str, pointer: str
) -> None:
    body = '{"cards":[{"card_id":"card_4","market_price":' + price + '},{"card_id":"card_4"}]}'
    response = gateway.ask(
        "POST", "/fair_price/batch", content=body, headers={"Content-Type": "application/json"}
    )
    bad, good = response.json()["predictions"]
    assert bad["problem"]["errors"][0]["pointer"] == pointer
    assert (bad["problem"]["status"], good["signal"]) == (422, "HOLD")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/fair_price", {"card_id": "x" * 16_384}),
        ("/signal", {"market_price": 1, "fair_price": 1, "x": " " * 16_384}),
        ("/fair_price/batch", {"cards": [{"card_id": "a"}] * 8_001}),
        ("/fair_price/batch", {"cards": [{"card_id": "a" * 262_144}]}),
    ],
)
def test_a_body_too_large_for_its_route_is_refused(gateway: Gateway, path: str, body: Any) -> None:
    assert_problem(gateway.post(path, body), 413, "too-large")


@pytest.mark.parametrize(("count", "status"), [(0, 200), (1_000, 200), (1_001, 422)])
def test_the_size_of_a_batch(gateway: Gateway, count: int, status: int) -> None:
    response = gateway.post(
        "/fair_price/batch",
        {"cards": [{"card_id": f"card_{number % 40}"} for number in range(count)]},
    )
    assert response.status_code == status
    if status == 200:
        assert len(response.json()["predictions"]) == count


def test_an_unknown_card_comes_with_similar_ones(gateway: Gateway) -> None:
    problem: Any = assert_problem(
        gateway.post("/fair_price", {"card_id": "card_4x"}), 404, "unknown-card"
    )
    assert problem["near"][0] == "card_4"


def test_unknown_cards_of_a_batch_come_with_similar_ones(gateway: Gateway) -> None:
    """Also where the other rows are valued, invalid or repeated; the first MAX_NEAR of them."""
    unknown = [f"card_{number}x" for number in range(MAX_NEAR + 1)]
    names = ["card_4", unknown[0], 5, *unknown, "card_5"]
    body = gateway.post("/fair_price/batch", {"cards": [{"card_id": each} for each in names]})
    rows = body.json()["predictions"]
    problems = [row["problem"] for row in rows if "problem" in row]
    assert [problem["status"] for problem in problems] == [404, 422, *[404] * len(unknown)]
    assert problems[0]["near"][0] == "card_0"
    assert all(problem["near"] for problem in problems[2:-1])
    assert "near" not in problems[-1]
    assert (rows[0]["card_id"], rows[-1]["card_id"]) == ("tcgplayer-4-normal", "tcgplayer-5-normal")


def test_a_batch_needs_the_batch_scope(gateway: Gateway) -> None:
    key = gateway.store.create("reader", scopes=["read"])
    gateway.app.assembly.key_cache.refresh()
    assert_problem(gateway.post("/fair_price/batch", {"cards": []}, key=key.key), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "signal", "deviation"),
    [
        ({"market_price": 90, "fair_price": 100}, "BUY", -0.1),
        ({"market_price": 115, "fair_price": 100}, "SELL", 0.15),
        ({"market_price": 100, "fair_price": 100}, "HOLD", 0.0),
        ({"market_price": 90, "fair_price": 100, "buy_threshold_pct": -0.2}, "HOLD", -0.1),
        ({"market_price": 105, "fair_price": 100, "sell_threshold_pct": 0.05}, "SELL", 0.05),
        (
            {
                "market_price": 105,
                "fair_price": 100,
                "buy_threshold_pct": 0,
                "sell_threshold_pct": 0.05,
            },
            "SELL",
            0.05,
        ),
    ],
    ids=str,
)
def test_signals(gateway: Gateway, body: dict[str, float], signal: str, deviation: float) -> None:
    found = gateway.post("/signal", body).json()
    assert (found["signal"], found["deviation_pct"], found["confidence"]) == (
        signal,
        pytest.approx(deviation),
        None,
    )


def test_signals_with_and_without_thresholds_share_calls(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    """Each row is judged by its own thresholds, or by the default ones."""
    prices = {"market_price": 90.0, "fair_price": 100.0}
    cases: list[tuple[dict[str, float], str]] = [
        (prices, "BUY"),
        ({**prices, "buy_threshold_pct": -0.2}, "HOLD"),
        ({**prices, "sell_threshold_pct": 0}, "BUY"),
        ({**prices, "buy_threshold_pct": -0.2, "sell_threshold_pct": 0.05}, "HOLD"),
    ]
    gateway = make_gateway(mlserver.url)
    assert len(gateway.app.assembly.markets.first.coalescers) == 2
    with ThreadPoolExecutor(16) as pool:
        requests = [case for case in cases for _ in range(20)]
        found = pool.map(lambda case: gateway.post("/signal", case[0]).json()["signal"], requests)
        assert list(found) == [signal for _, signal in requests]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"market_price": 90}, "/fair_price"),
        ({"market_price": 90, "fair_price": 0}, "/fair_price"),
        ({"market_price": -1, "fair_price": 1}, "/market_price"),
        ({"market_price": 90, "fair_price": 100, "buy_threshold_pct": 0.1}, "/buy_threshold_pct"),
        (
            {"market_price": 90, "fair_price": 100, "sell_threshold_pct": None},
            "/sell_threshold_pct",
        ),
        ({"market_price": 90, "fair_price": 100, "lower": 80}, "/upper"),
        ({"market_price": 90, "fair_price": 100, "upper": 125}, "/lower"),
        ({"market_price": 90, "fair_price": 100, "lower": 101, "upper": 125}, "/lower"),
        ({"market_price": 90, "fair_price": 100, "lower": 80, "upper": 99.5}, "/upper"),
    ],
    ids=str,
)
def test_invalid_signal_requests(gateway: Gateway, body: dict[str, float], pointer: str) -> None:
    problem: Any = assert_problem(gateway.post("/signal", body), 422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer
