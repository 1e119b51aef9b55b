import asyncio
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.auth.key_cache import BLIND_SECONDS, WATCH_SECONDS, KeyCache
from pokewatch.gateway.auth.keys import KeyStore
from tests.gateway.clock import Clock, until


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.sqlite")


def test_only_the_whole_live_key_is_found(store: KeyStore) -> None:
    made, other = store.create("mine"), store.create("other")
    ring = KeyCache(store)
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
    rings = [KeyCache(KeyStore(store.path)) for _ in range(2)]
    for ring in rings:
        ring.refresh()
    store.revoke(made.id)
    for ring in rings:
        ring.refresh()
        assert ring.find(made.key) is None
    assert WATCH_SECONDS < 1


def test_watching_finds_new_keys(store: KeyStore) -> None:
    async def scenario() -> None:
        ring = KeyCache(store)
        watching = asyncio.create_task(ring.watch())
        made = await asyncio.to_thread(store.create, "mine")

        async def known() -> bool:
            return ring.find(made.key) is not None

        await until(known)
        watching.cancel()

    asyncio.run(scenario())


def test_a_key_is_found_anew_the_moment_it_is_made(store: KeyStore) -> None:
    ring = KeyCache(store)
    ring.refresh()
    made = store.create("mine")
    assert ring.find(made.key) is None

    async def scenario() -> None:
        found = await asyncio.gather(
            *(ring.find_anew(key) for key in (made.key, "pw_wrong", made.key))
        )
        assert [key and key.id for key in found] == [made.id, None, made.id]

    asyncio.run(scenario())


def test_an_unreadable_store_blinds_the_ring(store: KeyStore) -> None:
    clock = Clock()
    store.create("mine")
    ring = KeyCache(store, timer=clock)
    ring.refresh()
    store.path.write_bytes(b"damaged" * 1_000)
    with pytest.raises(KeyStoreError):
        ring.refresh()
    assert not ring.blind()
    clock.now += BLIND_SECONDS + 1
    assert ring.blind()


def _damage(path: Path) -> None:
    path.write_bytes(b"damaged" * 1_000)


def _truncate(path: Path) -> None:
    os.truncate(path, 5_000)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _lose_revision(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM revision")


def _loop(path: Path) -> None:
    """What raises OSError for root too, whom no permission stops."""
    path.unlink()
    path.symlink_to(path)


def _vanish(path: Path) -> None:
    shutil.rmtree(path.parent)


def _forbid(path: Path) -> None:
    if os.geteuid() == 0:
        os.seteuid(65_534)
    else:
        path.parent.chmod(0o000)


def _allow(path: Path) -> None:
    os.seteuid(os.getuid())
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o700)


@pytest.mark.parametrize(
    "spoil", [_damage, _truncate, _empty, _lose_revision, _loop, Path.unlink, _vanish, _forbid]
)
def test_the_watch_survives_and_recovers(
    spoil: Callable[[Path], None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
) -> None:
    store = KeyStore(tmp_path / "home" / "keys.sqlite")
    request.addfinalizer(lambda: _allow(store.path))
    made = store.create("mine")
    shutil.copy(store.path, tmp_path / "copy")
    ring = KeyCache(store)

    async def scenario() -> None:
        await asyncio.to_thread(ring.refresh)
        watching = asyncio.create_task(ring.watch())
        spoil(store.path)

        async def spoilt() -> bool:
            return not ring.current

        await until(spoilt)
        assert ring.find(made.key) is not None, "the last keys are used meanwhile"
        _allow(store.path)
        (tmp_path / "copy").replace(store.path)

        async def mended() -> bool:
            return ring.current

        await until(mended)
        assert ring.find(made.key) is not None
        await asyncio.to_thread(store.revoke, made.id)

        async def revoked() -> bool:
            return ring.find(made.key) is None

        await until(revoked)
        assert not watching.done()
        watching.cancel()

    asyncio.run(scenario())
    assert [record.message for record in caplog.records] == [
        "key store unreadable",
        "key store readable again",
    ]


def _put(new: Path, path: Path) -> None:
    new.replace(path)


def _overwrite(new: Path, path: Path) -> None:
    shutil.copyfile(new, path)


@pytest.mark.parametrize("replace", [_put, _overwrite])
def test_a_file_in_place_of_another_is_noticed_whatever_its_revision(
    replace: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    stores = [KeyStore(tmp_path / name) for name in ("keys.sqlite", "new.sqlite")]
    old, new = (store.create("mine") for store in stores)
    assert stores[0].revision() == stores[1].revision()
    ring = KeyCache(stores[0])
    ring.refresh()
    replace(stores[1].path, stores[0].path)
    ring.refresh()
    assert ring.find(old.key) is None
    assert ring.find(new.key) is not None


def test_a_secret_is_replaced_as_kubernetes_does(tmp_path: Path) -> None:
    """A volume of a Secret: keys.sqlite -> ..data/keys.sqlite, ..data -> a folder; the second link is put in place of the first."""
    made = [
        KeyStore(tmp_path / f"..{number}" / "keys.sqlite").create("mine") for number in range(2)
    ]
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "keys.sqlite").symlink_to("..data/keys.sqlite")
    ring = KeyCache(KeyStore(tmp_path / "keys.sqlite"))
    ring.refresh()
    assert [ring.find(each.key) is not None for each in made] == [True, False]
    (tmp_path / "..data_tmp").symlink_to("..1")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    ring.refresh()
    assert [ring.find(each.key) is not None for each in made] == [False, True]


def test_a_damaged_key_is_logged_and_lets_nobody_in(
    store: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = store.create("mine"), store.create("other")
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE keys SET rate = 'fast' WHERE id = ?", (mine.id,))
    ring = KeyCache(store)
    with caplog.at_level(logging.ERROR):
        ring.refresh()
    assert ring.find(mine.key) is None
    assert ring.find(other.key) is not None
    assert vars(caplog.records[0])["keys"] == [mine.id]


def test_a_clock_that_is_set_back_hides_no_new_key(store: KeyStore) -> None:
    clock = Clock(time.time())
    ring = KeyCache(store, clock)

    async def scenario() -> None:
        assert await ring.find_anew("pw_wrong") is None
        clock.now -= 3_600
        made = store.create("mine")
        assert await ring.find_anew(made.key) is not None
        clock.now += 7_200
        assert not ring.blind()

    asyncio.run(scenario())


def test_no_file_is_no_keys_until_there_was_one(store: KeyStore) -> None:
    ring = KeyCache(store)
    ring.refresh()
    assert ring.find("pw_wrong") is None
    store.create("mine")
    ring.refresh()
    store.path.unlink()
    with pytest.raises(KeyStoreError, match="is gone"):
        ring.refresh()
