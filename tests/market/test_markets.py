from pathlib import Path
from typing import get_args

import pytest

from pokewatch.contract import RecordKind
from pokewatch.errors import SettingsError
from pokewatch.market.markets import MarketSource, parse_markets, source_of
from pokewatch.market.sources import open_source
from pokewatch.market.sources.games import GAMES, tcgplayer_market, tcgplayer_markets


@pytest.mark.parametrize(
    ("market", "source"),
    [
        ("simulated-0", MarketSource("simulated")),
        ("simulated-42", MarketSource("simulated", seed=42)),
        ("magic-tcgplayer-usd", MarketSource("tcgcsv", categories="1")),
        ("pokemon-tcgplayer-usd", MarketSource("tcgcsv", categories="3,85")),
        ("pokemon-japan-tcgplayer-usd", MarketSource("tcgcsv", categories="85")),
        ("pokemon-pricetracker-usd", MarketSource("pokemon_price_tracker")),
    ],
)
def test_an_id_names_its_source(market: str, source: MarketSource) -> None:
    assert source_of(market) == source


@pytest.mark.parametrize(
    "market",
    ["", "simulated", "simulated-", "simulated-01", "simulated--1", "chess-tcgplayer-usd", "x/y"],
)
def test_an_unknown_id_is_refused(market: str) -> None:
    with pytest.raises(SettingsError, match=r"market .*: unknown market; use .*magic-tcgplayer"):
        source_of(market)


def test_a_seed_is_bounded() -> None:
    with pytest.raises(SettingsError, match="use a seed from 0 to"):
        source_of("simulated-9999999999999999999")


def test_the_id_of_an_opened_source_leads_back_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prices = tmp_path / "Cardmarket Trend.csv"
    prices.write_text("card_id,date,market_price\na,2026-01-01,3\n")
    monkeypatch.setenv("POKEWATCH_MARKET_FILES", str(prices))
    ids = ["simulated-7", "magic-tcgplayer-usd", "pokemon-tcgplayer-usd", "file-cardmarket-trend"]
    for market in ids:
        source = source_of(market)
        opened = open_source(
            source.source, seed=source.seed, path=source.path, categories=source.categories
        )
        assert opened.market == market


def test_every_game_has_a_market_of_its_own() -> None:
    markets = tcgplayer_markets()
    assert len(markets) == len(GAMES) + 1
    assert len(set(markets.values())) == len(markets)


def test_a_market_of_several_games_is_named_by_them() -> None:
    assert tcgplayer_market([1, 71]) == "magic-lorcana-tcgplayer-usd"
    assert tcgplayer_market([1, 7_000]) == "magic-tcgplayer-category-7000-tcgplayer-usd"
    assert len(tcgplayer_market(range(1, 90))) <= 60


def test_a_file_must_be_known_and_its_name_unique(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"has no file of that name, it has none"):
        source_of("file-prices")
    monkeypatch.setenv("POKEWATCH_MARKET_FILES", f"{tmp_path}/a.csv, {tmp_path}/b/a.parquet")
    with pytest.raises(SettingsError, match="has 2 files of that name; rename one"):
        source_of("file-a")
    with pytest.raises(SettingsError, match="it has file-a, file-a"):
        source_of("file-b")


@pytest.mark.parametrize("kind", get_args(RecordKind))
def test_a_file_has_no_name_of_the_records_of_another_market(
    kind: RecordKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_MARKET_FILES", f"/data/a.csv,/data/a {kind}s.csv")
    assert source_of("file-a").path == Path("/data/a.csv")
    with pytest.raises(SettingsError, match=f"market 'file-a-{kind}s': the registry keeps names"):
        source_of(f"file-a-{kind}s")


def test_a_list_of_markets() -> None:
    assert parse_markets(" simulated-1,simulated-2 , simulated-1") == ["simulated-1", "simulated-2"]
    with pytest.raises(SettingsError, match="use lower-case letters, digits and hyphens"):
        parse_markets("simulated-1,Magic TCGplayer")


def test_the_lake_of_a_named_market_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_source("tcgcsv").lake_name == "tcgcsv"
    monkeypatch.setenv("POKEWATCH_MARKET", "magic-tcgplayer-usd")
    assert open_source("tcgcsv", categories="1").lake_name == "magic-tcgplayer-usd"
