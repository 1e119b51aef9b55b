"""The limit of requests without a valid key."""

import asyncio
from pathlib import Path

import pytest

from pokewatch.gateway.auth.authentication import Authenticator, limited_address
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.auth.limits import MemoryLimiter, Rate
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.metrics import Metrics


def statuses(folder: Path, *addresses: str) -> list[int]:
    """Return how requests of these addresses are answered, one of which may fail an hour."""
    store = KeyStore(folder / "keys.sqlite")
    store.create("other")
    authenticator = Authenticator(KeyCache(store), MemoryLimiter(), Rate(1, 3_600), Metrics())

    async def status(address: str) -> int:
        context = RequestContext({"headers": [], "client": (address, 1)}, "1")
        try:
            await authenticator.authenticate(context, "read")
        except ProblemError as problem:
            return problem.kind.status
        return 200

    async def all_of_them() -> list[int]:
        return [await status(each) for each in addresses]

    return asyncio.run(all_of_them())


def test_a_network_of_ipv6_counts_as_one_client(tmp_path: Path) -> None:
    found = statuses(tmp_path, "2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::1", "2001:db9::1")
    assert found == [401, 429, 429, 401]


def test_each_address_of_ipv4_counts_by_itself(tmp_path: Path) -> None:
    assert statuses(tmp_path, "192.0.2.1", "192.0.2.2", "192.0.2.1") == [401, 401, 429]


@pytest.mark.parametrize(
    ("address", "counted_by"),
    [
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_addresses_of_other_forms(address: str, counted_by: str) -> None:
    assert limited_address(address) == counted_by
