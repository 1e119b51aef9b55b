"""Which markets a gateway finds, and what becomes of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.market_servers import (
    DOLLARS,
    EUROS,
    markets_folder,
    serve_market,
    serving_markets,
    wait_for_markets,
)
from tests.polling import eventually
from tests.serving.server import Server

pytestmark = pytest.mark.integration


def test_the_markets_that_the_model_server_lists(
    two_markets: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(two_markets.url)
    found = {each["id"] for each in gateway.get("/markets").json()["markets"]}
    assert found == {"simulated-1", "file-europe"}
    eventually(lambda: gateway.get("/ready").status_code, lambda status: status == 200)


@pytest.mark.slow
def test_a_market_comes_and_goes(tmp_path: Path, make_gateway: Callable[..., Gateway]) -> None:
    """The others' answers stay as they are."""
    folder = tmp_path / "mlserver"
    ports, card = markets_folder(folder, (DOLLARS, 5)), {"card_id": "card_4"}
    with serving_markets(folder, ports) as server:
        gateway = make_gateway(server.url)
        wait_for_markets(gateway, "simulated-1")
        before = gateway.post("/fair_price", card).json()
        serve_market(server.folder, tmp_path / "euros", EUROS, 9)
        load = f"{server.url}/v2/repository/models/fair-price-file-europe/load"
        httpx.post(load).raise_for_status()
        wait_for_markets(gateway, "simulated-1", "file-europe")
        assert gateway.post("/fair_price", {"card_id": "card_8"}).json()["currency"] == "EUR"
        assert gateway.post("/fair_price", card).json()["as_of"] == before["as_of"]
    shutil.rmtree(server.folder / "fair-price-file-europe")
    assert len(gateway.get("/markets").json()["markets"]) == 2, "it may come back"
    with serving_markets(folder, ports):
        wait_for_markets(gateway, "simulated-1")
        eventually(lambda: gateway.get("/ready").status_code, lambda status: status == 200)
        assert gateway.post("/fair_price", card).json()["as_of"] == before["as_of"]
        assert gateway.post("/fair_price", {"card_id": "card_8"}).status_code == 404
        served = [line for line in gateway.metrics().splitlines() if "served_info{" in line]
        assert [line.count('market="simulated-1"') for line in served] == [1]


def test_a_gateway_that_starts_first_finds_the_markets_later(
    tmp_path: Path, make_gateway: Callable[..., Gateway]
) -> None:
    ports = markets_folder(tmp_path / "mlserver", (DOLLARS, 5), (EUROS, 5))
    gateway = make_gateway(f"http://127.0.0.1:{ports[0]}")
    assert gateway.get("/ready").status_code == 503
    assert gateway.post("/fair_price", {"card_id": "card_4"}).status_code == 503
    assert gateway.get("/index?market=simulated-1").status_code == 503
    with serving_markets(tmp_path / "mlserver", ports):
        eventually(lambda: gateway.get("/ready").status_code, lambda status: status == 200)
        found = gateway.post("/fair_price", {"card_id": "card_4", "market": "file-europe"})
        assert found.json()["currency"] == "EUR"
