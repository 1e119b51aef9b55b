from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.tcgcsv_server import Clock, TcgcsvServer, day_sets, serving


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 25, 21, 0, tzinfo=UTC))


@pytest.fixture
def server(clock: Clock) -> Iterator[TcgcsvServer]:
    with serving(TcgcsvServer(clock, day_sets())) as running:
        yield running


@pytest.fixture
def opened(clock: Clock, server: TcgcsvServer) -> Callable[..., TcgcsvSource]:
    """Open a source with the pace of the public service."""

    def open_source(**settings: Any) -> TcgcsvSource:
        given = {"tcgcsv_url": server.url, "tcgcsv_pause": 0.1, "http_attempts": 2} | settings
        return TcgcsvSource(
            SourceSettings.read(**given), now=clock.now, sleep=clock.sleep, clock=clock.seconds
        )

    return open_source
