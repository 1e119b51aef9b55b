from collections.abc import Iterator
from pathlib import Path

import pytest

from pokewatch.market.lake import Lake
from tests.market.three_days import DAYS, GROUP, day_rows, products
from tests.market.upstream import Upstream, running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running() as server:
        yield server


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def served(upstream: Upstream) -> Upstream:
    for day in DAYS:
        upstream.archive(day, {(3, 1): day_rows(day)})
    upstream.results("/tcgplayer/3/groups", [GROUP])
    upstream.results("/tcgplayer/85/groups", [])
    upstream.results("/tcgplayer/3/1/products", products())
    return upstream
