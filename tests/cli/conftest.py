from pathlib import Path

import pytest

from pokewatch.registry import Registry
from pokewatch.valuation.book import PriceBook


@pytest.fixture
def book(champion_home: Path) -> PriceBook:
    champion = Registry().resolve()
    return PriceBook.open(Registry().download_book(champion), champion.digest)
