from pathlib import Path

import pytest

from pokewatch.errors import SettingsError
from pokewatch.market.sources import SOURCES, open_source


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_opens_by_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEMON_PRICE_API_KEY", "key")

    source = open_source(name, cards=5, seed=1, path=tmp_path / "prices.csv")

    assert source.name == name
    assert source.lake_name.startswith(name)


def test_an_unknown_source_is_reported_with_the_known_ones() -> None:
    with pytest.raises(
        SettingsError,
        match="--source 'ebay': unknown source; use one of simulated, tcgcsv",
    ):
        open_source("ebay")
