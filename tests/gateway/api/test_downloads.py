from contextlib import ExitStack

import pytest

from pokewatch.gateway.api.downloads import MAX_DOWNLOADS, MAX_OF_A_CALLER, DownloadLimit
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import ProblemError


def visitor(address: str) -> RequestContext:
    return RequestContext({"type": "http", "headers": [], "client": (address, 1)}, "r")


def test_each_caller_has_a_share_of_the_downloads() -> None:
    limit = DownloadLimit()
    with ExitStack() as downloads:
        for number in range(MAX_DOWNLOADS):
            address = f"2001:db8:0:{number // MAX_OF_A_CALLER}::{number}"
            downloads.enter_context(limit.counted(visitor(address)))
        with pytest.raises(ProblemError, match="4 downloads of yours") as same_network:
            limit.counted(visitor("2001:db8::ffff")).__enter__()
        with pytest.raises(ProblemError, match="16 downloads are in progress") as anyone:
            limit.counted(visitor("192.0.2.1")).__enter__()
        assert (same_network.value.kind.status, anyone.value.kind.status) == (429, 503)
    assert limit.running == 0
    with limit.counted(visitor("2001:db8::1")):
        assert limit.running == 1
