import gc
from collections.abc import Iterator

import pytest

from tests.gateway.conftest import gateway, make_gateway, mlserver

__all__ = ["gateway", "make_gateway", "mlserver"]


@pytest.fixture(autouse=True)
def frozen_objects() -> Iterator[None]:
    """Exclude what other tests left from garbage collection, as a gateway does that only serves.

    After thousands of tests a full collection takes a second, longer than the deadlines here.
    """
    gc.freeze()
    yield
    gc.unfreeze()
