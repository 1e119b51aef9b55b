"""A model server that is restarted with other settings, behind a gateway that stays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway.conftest import Gateway
from tests.polling import eventually
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at, running

pytestmark = pytest.mark.integration

MOVERS = "/movers?price=low&min_price=1"
CARD = {"card_id": "card_4", "market_price": 4.5}


@pytest.mark.slow
def test_answers_change_with_the_settings_of_the_model_server(
    tmp_path: Path, make_gateway: Callable[..., Gateway]
) -> None:
    folder = tmp_path / "models"
    ports = models_folder(folder)
    point_at(folder, tmp_path / "book", make_book(tmp_path / "book"), "7")
    home = {"POKEWATCH_HOME": str(tmp_path / "home")}
    with running(folder, ports, home) as server:
        gateway = make_gateway(server.url, answer_cache=True)
        before = gateway.get(MOVERS)
        page = gateway.get("/movers?price=low", headers={"Accept": "text/html"})
        card = gateway.post("/fair_price", CARD).json()
        assert before.json()["buy"]
        assert card["signal"] == "BUY"
        poller = gateway.app.assembly.markets.first.poller
        assert (poller.served is not None, poller.settings_changes) == (True, 0)
    with running(folder, ports, home | {"POKEWATCH_BUY_THRESHOLD_PCT": "-0.9"}):
        eventually(lambda: poller.settings_changes, bool)
        after = gateway.get(MOVERS, headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert after.json()["buy"] == []
        assert after.json()["model_version"] == before.json()["model_version"]
        headers = {"Accept": "text/html", "If-None-Match": page.headers["etag"]}
        assert gateway.get("/movers?price=low", headers=headers).status_code == 200
        assert gateway.post("/fair_price", CARD).json()["signal"] == "HOLD"


def test_settings_that_are_written_before_the_restart_are_noticed_after_it(
    tmp_path: Path, make_gateway: Callable[..., Gateway]
) -> None:
    """The catalogue follows the file at once, the models when they are made again."""
    folder, home = tmp_path / "models", tmp_path / "home"
    ports = models_folder(folder)
    point_at(folder, tmp_path / "book", make_book(tmp_path / "book"), "7")
    home.mkdir(mode=0o700)
    with running(folder, ports, {"POKEWATCH_HOME": str(home)}) as server:
        gateway = make_gateway(server.url, answer_cache=True)
        poller = gateway.app.assembly.markets.first.poller
        eventually(lambda: poller.served is not None, bool)
        (home / "settings.env").write_text("POKEWATCH_BUY_THRESHOLD_PCT=-0.9\n")
        eventually(lambda: poller.settings_changes == 1, bool)
        assert gateway.post("/fair_price", CARD).json()["signal"] == "BUY"
    with running(folder, ports, {"POKEWATCH_HOME": str(home)}):
        eventually(lambda: poller.settings_changes == 2, bool)
        assert gateway.post("/fair_price", CARD).json()["signal"] == "HOLD"
