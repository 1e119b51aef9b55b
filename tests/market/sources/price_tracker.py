"""A source of PokemonPriceTracker that asks a local server, and cards as that answers them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource
from pokewatch.settings import SourceSettings
from tests.market.upstream import Sleeps, Upstream

NOW = datetime(2025, 11, 27, 18, 0, tzinfo=UTC)
KEY = "pk-very-secret"


def card(
    number: int = 642623, *, days: dict[str, Any] | None = None, **others: Any
) -> dict[str, Any]:
    history = [
        {"date": f"{day}T00:00:00.000Z", "market": market, "volume": 3}
        for day, market in (days or {}).items()
    ]
    prices = {
        "market": 462.85,
        "lastUpdated": "2025-11-27T16:06:26.335Z",
        "primaryCondition": "Near Mint",
        "variants": {"Holofoil": {}},
    }
    body = {
        "id": f"id-{number}",
        "tcgPlayerId": str(number),
        "setId": "s1",
        "setName": "Black Bolt",
        "name": "Zekrom ex - 172/086",
    }
    body |= {"cardNumber": "172/086", "rarity": "Rare", "imageUrl": "https://images.test/1.jpg"}
    return (
        body
        | {"prices": prices, "priceHistory": {"conditions": {"Near Mint": {"history": history}}}}
        | others
    )


@pytest.fixture
def opened(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., PokemonPriceTrackerSource]:
    monkeypatch.setenv("POKEMON_PRICE_API_KEY", KEY)
    upstream.json("/sets", {"data": [{"id": "s1", "name": "Black Bolt"}]})

    def open_source(**settings: Any) -> PokemonPriceTrackerSource:
        given = {
            "pokemon_price_url": upstream.url,
            "http_attempts": 2,
            "http_timeout": 2.0,
        } | settings
        return PokemonPriceTrackerSource(
            SourceSettings.read(**given), now=lambda: NOW, sleep=Sleeps().sleep
        )

    return open_source
