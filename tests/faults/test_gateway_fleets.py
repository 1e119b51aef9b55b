"""Two MLServers with different markets behind one gateway: one is killed, and comes back."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.market_servers import (
    DOLLARS,
    EUROS,
    markets_folder,
    serving_markets,
    wait_for_markets,
)
from tests.gateway.problems import assert_problem
from tests.polling import eventually
from tests.serving.server import Server

pytestmark = pytest.mark.integration

# A killed server refuses connections at once: long timeouts are for a busy machine.
PATIENT: dict[str, Any] = {
    "upstream_seconds": 20.0,
    "deadline_seconds": 20.0,
    "breaker_seconds": 0.1,
}
DOLLAR_REQUESTS: list[tuple[str, str, Any]] = [
    ("POST", "/fair_price", {"card_id": "card_4"}),
    ("POST", "/fair_price/batch", {"cards": [{"card_id": "card_4"}, {"card_id": "card_7"}]}),
    ("GET", "/cards?market=simulated-1&limit=5", None),
    ("GET", "/cards/card_4/history", None),
    ("GET", "/movers?market=simulated-1&price=low", None),
    ("GET", "/sets", None),
    ("GET", "/index", None),
    ("GET", "/export.csv", None),
    ("POST", "/v2/models/pokewatch/infer", None),
]


@dataclass
class Fleets:
    """A gateway in front of two model servers, of which that with the euros can be killed."""

    gateway: Gateway
    euros: Server
    folder: Path
    ports: tuple[int, int, int]
    stack: ExitStack

    def kill(self) -> None:
        self.euros.process.kill()
        self.euros.process.wait(20)
        eventually(lambda: self.states()["file-europe"], lambda ready: not ready)

    def restart(self) -> None:
        self.stack.enter_context(serving_markets(self.folder, self.ports))
        eventually(lambda: self.states()["file-europe"], lambda ready: ready)

    def states(self) -> dict[str, bool]:
        ready = self.gateway.get("/ready")
        assert ready.status_code == 200
        return {each["market"]: each["ready"] for each in ready.json()["markets"]}

    def dollars(self) -> list[Any]:
        """Return the answers about the other market, without what differs each time."""
        found = []
        for method, path, body in DOLLAR_REQUESTS:
            if path.startswith("/v2/"):
                data = ["card_4", "card_7"]
                tensor = {"name": "card_id", "shape": [2], "datatype": "BYTES", "data": data}
                body = {"inputs": [tensor], "parameters": {"market": "simulated-1"}}
            response = self.gateway.ask(method, path, json=body)
            assert response.status_code == 200, (path, response.text)
            found.append(_constant(response))
        return found


def _constant(response: httpx.Response) -> Any:
    if response.headers["content-type"] != "application/json":
        return response.text
    content = response.json()
    for row in (content, *content.get("predictions", ())):
        row.pop("as_of", None)
        row.pop("request_id", None)
    return content


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Fleets]:
    dollars, euros = tmp_path / "dollars", tmp_path / "euros"
    dollar_ports, ports = markets_folder(dollars, (DOLLARS, 20)), markets_folder(euros, (EUROS, 30))
    with ExitStack() as stack:
        urls = f"simulated-1=http://127.0.0.1:{dollar_ports[0]},file-europe=http://127.0.0.1:{ports[0]}"
        stack.enter_context(serving_markets(dollars, dollar_ports))
        server = stack.enter_context(serving_markets(euros, ports))
        gateway = stack.enter_context(
            gateway_at("http://127.0.0.1:1", tmp_path, market_urls=urls, **PATIENT)
        )
        wait_for_markets(gateway, "simulated-1", "file-europe")
        yield Fleets(gateway, server, euros, ports, stack)


@pytest.mark.slow
def test_a_killed_fleet_leaves_the_other_markets_alone(fleets: Fleets) -> None:
    gateway = fleets.gateway
    before = fleets.dollars()
    known = gateway.post("/fair_price", {"card_id": "card_24"}).json()
    assert (known["market"], known["stale"]) == ("file-europe", False)

    fleets.kill()
    assert fleets.dollars() == before
    assert fleets.states() == {"simulated-1": True, "file-europe": False}
    stale = gateway.post("/fair_price", {"card_id": "card_24"}).json()
    assert stale == known | {"stale": True, "request_id": stale["request_id"]}
    assert_problem(gateway.post("/fair_price", {"card_id": "card_25"}), 503, "unavailable")
    assert_problem(gateway.get("/index?market=file-europe"), 503, "unavailable")
    assert_problem(gateway.get("/export.csv?market=file-europe"), 503, "unavailable")
    assert_problem(gateway.post("/fair_price", {"card_id": "card_99"}), 404, "unknown-card")

    cards = [{"card_id": f"card_{number}"} for number in (4, 25, 7, 26)]
    rows = gateway.post("/fair_price/batch", {"cards": cards}).json()["predictions"]
    assert [row.get("market") for row in rows] == ["simulated-1", None, "simulated-1", None]
    assert [row["problem"]["status"] for row in rows if "problem" in row] == [503, 503]
    only_dead = gateway.post("/fair_price/batch", {"cards": cards[1::2]})
    assert_problem(only_dead, 503, "unavailable")

    movers = gateway.get("/movers?price=low&limit=3").json()
    assert {row["market"] for row in movers["buy"]} == {"simulated-1"}
    assert movers["unavailable"] == ["file-europe"]
    facts = {each["id"]: each for each in gateway.get("/markets").json()["markets"]}
    assert facts["simulated-1"]["ready"]
    assert not facts["file-europe"]["ready"]
    assert facts["file-europe"]["cards"] == 30, "it is known from before"
    reason = facts["file-europe"]["reason"]
    assert "cannot be reached" in reason or "has failed repeatedly" in reason

    fleets.restart()
    assert fleets.dollars() == before
    assert gateway.post("/fair_price", {"card_id": "card_25"}).json()["currency"] == "EUR"
    assert gateway.get("/movers").json()["unavailable"] == []


def test_a_gateway_that_starts_without_a_fleet_serves_the_others(
    fleets: Fleets, tmp_path: Path
) -> None:
    """A card that may be one of the missing market is not said to be unknown."""
    fleets.kill()
    urls = ",".join(fleets.gateway.app.assembly.settings.market_urls)
    (tmp_path / "second").mkdir()
    with gateway_at(
        "http://127.0.0.1:1", tmp_path / "second", market_urls=urls, **PATIENT
    ) as second:
        eventually(lambda: second.get("/ready").status_code, lambda status: status == 200)
        eventually(
            lambda: second.post("/fair_price", {"card_id": "card_4"}).status_code,
            lambda status: status == 200,
        )
        assert_problem(second.post("/fair_price", {"card_id": "card_24"}), 503, "unavailable")
        named = {"card_id": "card_99", "market": "simulated-1"}
        assert_problem(second.post("/fair_price", named), 404, "unknown-card")
        fleets.restart()
        eventually(
            lambda: second.post("/fair_price", {"card_id": "card_24"}).status_code,
            lambda status: status == 200,
        )
        assert_problem(second.post("/fair_price", {"card_id": "card_99"}), 404, "unknown-card")
