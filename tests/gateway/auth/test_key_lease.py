from pathlib import Path

import pytest

from pokewatch.gateway.auth.key_lease import RENEW_SECONDS, SPAN, Lease
from pokewatch.gateway.auth.keys import Key, KeyStore
from tests.gateway.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> KeyStore:
    return KeyStore(tmp_path / "keys.sqlite", clock)


def kept(store: KeyStore) -> Key:
    (key,) = store.list()
    return key


def test_a_lease_that_nobody_renews_ends(store: KeyStore, clock: Clock) -> None:
    Lease(store, "serve", clock)
    assert kept(store).live(clock.now)
    assert not kept(store).live(clock.now + SPAN.total_seconds())


def test_a_lease_lasts_while_it_is_renewed(store: KeyStore, clock: Clock) -> None:
    lease = Lease(store, "serve", clock)
    for _ in range(100):
        clock.now += 1
        lease.renew()
        assert kept(store).live(clock.now + SPAN.total_seconds() - RENEW_SECONDS - 1)
    assert store.revision() < 10


@pytest.mark.parametrize("step", [-86_400, 86_400], ids=["set-back", "after-sleep"])
def test_a_clock_that_jumps_neither_ends_nor_prolongs_it(
    step: int, store: KeyStore, clock: Clock
) -> None:
    lease = Lease(store, "serve", clock)
    clock.now += step
    lease.renew()
    assert kept(store).expires_at == clock.now + SPAN.total_seconds()


def test_the_end_revokes_it_for_good(store: KeyStore, clock: Clock) -> None:
    lease = Lease(store, "serve", clock)
    lease.end()
    clock.now += RENEW_SECONDS
    lease.renew()
    assert not kept(store).live(clock.now)


def test_a_store_that_fails_ends_nothing_but_the_key(
    store: KeyStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    lease = Lease(store, "serve", clock)
    store.path.write_bytes(b"damaged" * 1_000)
    clock.now += RENEW_SECONDS
    lease.renew()
    lease.renew()
    lease.end()
    assert len(caplog.records) == 1
