"""The daily pipeline of several markets, as a user runs it."""

import csv
import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pokewatch.registry import Registry
from pokewatch.settings import RegistrySettings
from tests.integration.flow import FLOW, card_text, last_card, run_flow
from tests.monitoring.listener import listening

MARKETS = FLOW.with_name("markets.py")
NO_SERVER: dict[str, Any] = {"POKEWATCH_MLSERVER_URLS": "http://127.0.0.1:9"}
TO = date(2026, 1, 31)
SMALL = ("--cards", "120", "--days", "60", "--to", TO.isoformat(), "--shards", "1")


def write_prices(path: Path, currency: str) -> None:
    """Write daily prices of 120 cards up to TO."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["card_id", "date", "market_price", "currency"])
        for day in range(60):
            when = TO - timedelta(days=59 - day)
            for card in range(120):
                price = (1 + card / 10) * math.exp(0.02 * math.sin(card + day // 3))
                writer.writerow([f"card-{card}", when, f"{price:.2f}", currency])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_market_fails_and_the_others_are_valued(registry_home: Path, tmp_path: Path) -> None:
    write_prices(tmp_path / "mine.csv", "EUR")
    (tmp_path / "broken.csv").write_text("card_id,date,price\n,,\n")
    files = f"{tmp_path / 'mine.csv'},{tmp_path / 'broken.csv'}"
    settings = NO_SERVER | {"POKEWATCH_MARKET_FILES": files, "POKEWATCH_GATE_MAPE": "100"}
    settings |= {
        "POKEWATCH_MARKETS": "simulated-1,file-mine,file-broken",
        "POKEWATCH_GATE_INTERVAL_ROWS": "1000000",
    }
    with listening() as listener:
        notified = settings | {"POKEWATCH_NOTIFY_URLS": listener.address}
        done = run_flow(tmp_path, "run", *SMALL, "--max-workers", "2", flow=MARKETS, **notified)
    assert done.returncode != 0
    assert "1 of 3 markets failed: file-broken: file: " in done.stdout
    assert "no row can be used" in done.stdout
    for market, currency in (("simulated-1", "USD"), ("file-mine", "EUR")):
        registry = Registry(RegistrySettings.read(market=market))
        champion = registry.resolve()
        assert registry.name == f"pokewatch-{market}"
        facts = registry.open_book(champion).facts
        assert (facts.market, facts.currency) == (market, currency)
        assert f"{market}: done, with model version {champion.version}" in done.stdout
    assert Registry().markets() == ["file-mine", "simulated-1"]
    card = card_text(last_card(registry_home, "show"))
    assert "1 of 3 failed; their champions stay" in card
    assert card.index("file-broken") < card.index("simulated-1")
    titles = listener.titles()
    assert any("simulated-1: model version 1 is champion" in title for title in titles)
    assert any(title.startswith("PokeWatch, file-broken: ") for title in titles)
