"""A gateway in front of an MLServer that serves two markets."""

from collections.abc import Iterator

import pytest

from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.market_servers import DOLLARS, EUROS, market_server, wait_for_markets
from tests.serving.server import Server

CARDS, MORE_CARDS = 40, 60


@pytest.fixture(scope="session")
def two_markets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLServer with `simulated-1` in dollars and `file-europe`, with 20 more cards, in euros."""
    folder = tmp_path_factory.mktemp("two-markets")
    with market_server(folder, (DOLLARS, CARDS), (EUROS, MORE_CARDS)) as server:
        yield server


@pytest.fixture(scope="session")
def both(two_markets: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of both markets, the dollars first. It hardly polls: no model changes."""
    urls = ",".join(f"{market}={two_markets.url}" for market in ("simulated-1", "file-europe"))
    folder = tmp_path_factory.mktemp("both")
    with gateway_at(two_markets.url, folder, market_urls=urls, watch_seconds=10) as gateway:
        wait_for_markets(gateway, "simulated-1", "file-europe")
        yield gateway
