from collections.abc import Iterator

import pytest

from tests.market.upstream import Upstream, running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running() as server:
        yield server
