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


def stored_key(store: KeyStore) -> Key:
    (key,) = store.list()
    return key


def test_a_lease_expires_unless_renewed(store: KeyStore, clock: Clock) -> None:
    Lease(store, "serve", clock)
    assert stored_key(store).live(clock.now)
    assert not stored_key(store).live(clock.now + SPAN.total_seconds())


def test_a_renewed_lease_stays_valid(store: KeyStore, clock: Clock) -> None:
    lease = Lease(store, "serve", clock)
    for _ in range(100):
        clock.now += 1
        lease.renew()
        assert stored_key(store).live(clock.now + SPAN.total_seconds() - RENEW_SECONDS - 1)
    assert store.revision() < 10


@pytest.mark.parametrize("step", [-86_400, 86_400], ids=["set-back", "after-sleep"])
def test_a_clock_change_neither_shortens_nor_extends_a_lease(
    step: int, store: KeyStore, clock: Clock
) -> None:
    lease = Lease(store, "serve", clock)
    clock.now += step
    lease.renew()
    assert stored_key(store).expires_at == clock.now + SPAN.total_seconds()


def test_an_ended_lease_stays_revoked(store: KeyStore, clock: Clock) -> None:
    lease = Lease(store, "serve", clock)
    lease.end()
    clock.now += RENEW_SECONDS
    lease.renew()
    assert not stored_key(store).live(clock.now)


def test_a_failed_renewal_is_logged_once(
    store: KeyStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    lease = Lease(store, "serve", clock)
    store.path.write_bytes(b"damaged" * 1_000)
    clock.now += RENEW_SECONDS
    lease.renew()
    lease.renew()
    lease.end()
    assert len(caplog.records) == 1
