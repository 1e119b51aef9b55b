"""Batches of several markets: their answers are those of a batch for each."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pokewatch.contract import INFERENCES_PATH, Fees
from pokewatch.decision import FEES, break_even, interval_distribution, predictive_cdf
from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.api.markets import mixed_prices
from pokewatch.gateway.http.problems import unavailable
from pokewatch.gateway.upstream.transport import Sender
from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.market_servers import DOLLARS, EUROS
from tests.gateway.problems import assert_problem
from tests.gateway.tampering import PickyServer, tampering
from tests.polling import eventually
from tests.serving.server import Server

MARKETS = (DOLLARS.market, EUROS.market)


def rows(market: str, *cards: int) -> list[dict[str, Any]]:
    return [{"card_id": f"card_{card}", "market": market} for card in cards]


def predictions(gateway: Gateway, cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = gateway.post("/fair_price/batch", {"cards": cards}).json()["predictions"]
    return [{name: value for name, value in row.items() if name != "as_of"} for row in found]


def test_the_answers_are_those_of_each_market(both: Gateway) -> None:
    cards = [row for at in (4, 5, 39) for market in MARKETS for row in rows(market, at)]
    cards[1] |= {"market_price": 2.0, "fees": "cardmarket"}
    cards[2] |= {"condition": "LP", "market_price": 4.0}
    cards[3] |= {"date": "2026-01-02"}
    mixed = predictions(both, cards)
    for number, market in enumerate(MARKETS):
        assert mixed[number::2] == predictions(both, cards[number::2])
        assert {row["market"] for row in mixed[number::2]} == {market}


@pytest.mark.parametrize("model", [f"fair-price-{DOLLARS.market}", "decision"])
def test_a_refused_card_is_the_only_one_without_an_answer(
    two_markets: Server, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tampering(two_markets.url, PickyServer) as picky:
        urls = ",".join(f"{market}={picky.url}" for market in MARKETS)
        with gateway_at(picky.url, tmp_path, market_urls=urls) as gateway:
            cards = rows(MARKETS[0], 3, 7, 9) + rows(MARKETS[1], 1, 2)
            eventually(lambda: len(predictions(gateway, cards)), (5).__eq__)
            picky.asked.clear()
            whole = predictions(gateway, cards)
            monkeypatch.setattr(mixed_prices, "_TOGETHER_SECONDS", 0.0)  # all are late
            assert predictions(gateway, cards) == whole
            infers = [path for path in picky.asked if path.endswith(("/infer", INFERENCES_PATH))]
            assert infers == [INFERENCES_PATH, "/v2/models/decision/infer"] * 2
            picky.refuses(model, {"card_7"})
            found = predictions(gateway, cards)
            assert "problem" in found[1]
            assert [*found[:1], *found[2:]] == [*whole[:1], *whole[2:]]


@pytest.mark.slow
def test_a_market_that_is_late_keeps_no_other_from_a_decision(
    both: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed_prices, "_TOGETHER_SECONDS", 0.0)
    late, *_ = both.app.assembly.markets.backends

    async def never(cards: Sequence[CardQuery], deadline: float, _: Sender | None) -> Any:
        await asyncio.sleep(deadline - asyncio.get_running_loop().time())
        raise unavailable("too late")

    cards = rows(MARKETS[0], 3) + rows(MARKETS[1], 3)
    whole = predictions(both, cards)
    monkeypatch.setattr(late.composition, "price", never)
    dead, answered = predictions(both, cards)
    assert dead["problem"]["type"] == "/docs#unavailable"
    assert answered == whole[1]


@pytest.mark.parametrize(
    ("asked", "currency", "fees"),
    [
        ({}, "USD", "tcgplayer"),
        ({"fees": "ebay"}, "USD", "ebay"),
        ({"market": "file-europe"}, "EUR", "cardmarket"),
        ({"market": "file-europe", "fees": "cardmarket"}, "EUR", "cardmarket"),
    ],
    ids=["first market", "its fees", "second market", "fees of the second"],
)
def test_a_signal_is_in_the_currency_of_the_market_that_is_named(
    both: Gateway, asked: dict[str, str], currency: str, fees: Fees
) -> None:
    prices = {"market_price": 90.0, "fair_price": 100.0, "lower": 80.0, "upper": 125.0}
    found = both.post("/signal", prices | asked).json()
    distribution = interval_distribution(*(np.array([each]) for each in (100.0, 80.0, 125.0)))
    needed = break_even(np.array([90.0]), FEES[fees])
    chance = 1 - predictive_cdf(distribution, needed)[0]
    assert (found["currency"], found["advice"]) == (currency, "ok")
    assert found["chance_to_earn"] == pytest.approx(chance, abs=1e-4)


def test_signals_of_markets_in_two_currencies_share_calls(both: Gateway) -> None:
    prices = {"market_price": 90.0, "fair_price": 100.0, "lower": 80.0, "upper": 125.0}
    asked = [prices | {"market": market} for market in MARKETS]
    alone = [both.post("/signal", each).json() for each in asked]
    assert [each["currency"] for each in alone] == ["USD", "EUR"]
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda each: both.post("/signal", each).json(), asked * 40)
        assert list(found) == alone * 40


def test_fees_of_another_currency_than_the_market_of_a_signal(both: Gateway) -> None:
    signal = {"market_price": 90.0, "fair_price": 100.0, "fees": "ebay", "market": "file-europe"}
    problem = assert_problem(both.post("/signal", signal), 409, "other-currency")
    assert problem["detail"] == "the fees of ebay are in USD, the prices in EUR"
    assert_problem(both.post("/signal", signal | {"market": "none"}), 404, "unknown-market")
