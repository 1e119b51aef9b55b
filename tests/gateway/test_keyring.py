import asyncio
from pathlib import Path

import pytest

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.keyring import BLIND_SECONDS, WATCH_SECONDS, Keyring
from pokewatch.gateway.keys import KeyStore
from tests.gateway.clock import Clock, until


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.sqlite")


def test_only_the_whole_live_key_is_found(store: KeyStore) -> None:
    made, other = store.create("mine"), store.create("other")
    ring = Keyring(store)
    ring.refresh()
    found = ring.find(made.key)
    assert found is not None
    assert found.id == made.id
    for wrong in (
        "",
        "pw_",
        made.id,
        made.key[:-1],
        made.key + "x",
        made.key.upper(),
        f"pw_{other.id}_{made.key.split('_', 2)[2]}",
        "é" * 60,
    ):
        assert ring.find(wrong) is None


def test_a_revoked_key_is_gone_after_the_next_look(store: KeyStore) -> None:
    made = store.create("mine")
    rings = [Keyring(KeyStore(store.path)) for _ in range(2)]
    for ring in rings:
        ring.refresh()
    store.revoke(made.id)
    for ring in rings:
        ring.refresh()
        assert ring.find(made.key) is None
    assert WATCH_SECONDS < 1


def test_watching_finds_new_keys(store: KeyStore) -> None:
    async def scenario() -> None:
        ring = Keyring(store)
        watching = asyncio.create_task(ring.watch())
        made = await asyncio.to_thread(store.create, "mine")

        async def known() -> bool:
            return ring.find(made.key) is not None

        await until(known)
        watching.cancel()

    asyncio.run(scenario())


def test_a_key_is_found_anew_the_moment_it_is_made(store: KeyStore) -> None:
    ring = Keyring(store)
    ring.refresh()
    made = store.create("mine")
    assert ring.find(made.key) is None

    async def scenario() -> None:
        found = await asyncio.gather(*(ring.find_anew(key) for key in (made.key, "pw_wrong", made.key)))
        assert [key and key.id for key in found] == [made.id, None, made.id]

    asyncio.run(scenario())


def test_an_unreadable_store_blinds_the_ring(store: KeyStore) -> None:
    clock = Clock()
    store.create("mine")
    ring = Keyring(store, timer=clock)
    ring.refresh()
    store.path.write_bytes(b"damaged" * 1_000)
    with pytest.raises(KeyStoreError):
        ring.refresh()
    assert not ring.blind()
    clock.now += BLIND_SECONDS + 1
    assert ring.blind()
