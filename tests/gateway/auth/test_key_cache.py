import asyncio
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.auth.key_cache import MAX_AGE_SECONDS, POLL_SECONDS, KeyCache
from pokewatch.gateway.auth.keys import KeyStore
from tests.gateway.clock import Clock, until


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.sqlite")


def test_only_the_whole_live_key_is_found(store: KeyStore) -> None:
    made, other = store.create("mine"), store.create("other")
    cache = KeyCache(store)
    cache.refresh()
    found = cache.find(made.key)
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
        assert cache.find(wrong) is None


def test_a_revoked_key_is_not_found_after_a_refresh(store: KeyStore) -> None:
    made = store.create("mine")
    caches = [KeyCache(KeyStore(store.path)) for _ in range(2)]
    for cache in caches:
        cache.refresh()
    store.revoke(made.id)
    for cache in caches:
        cache.refresh()
        assert cache.find(made.key) is None
    assert POLL_SECONDS < 1


def test_polling_finds_new_keys(store: KeyStore) -> None:
    async def scenario() -> None:
        cache = KeyCache(store)
        polling = asyncio.create_task(cache.poll())
        made = await asyncio.to_thread(store.create, "mine")

        async def known() -> bool:
            return cache.find(made.key) is not None

        await until(known)
        polling.cancel()

    asyncio.run(scenario())


def test_a_refresh_finds_a_key_that_was_just_created(store: KeyStore) -> None:
    cache = KeyCache(store)
    cache.refresh()
    made = store.create("mine")
    assert cache.find(made.key) is None

    async def scenario() -> None:
        found = await asyncio.gather(
            *(cache.refresh_and_find(key) for key in (made.key, "pw_wrong", made.key))
        )
        assert [key and key.id for key in found] == [made.id, None, made.id]

    asyncio.run(scenario())


def test_an_unreadable_store_blinds_the_ring(store: KeyStore) -> None:
    clock = Clock()
    store.create("mine")
    cache = KeyCache(store, timer=clock)
    cache.refresh()
    store.path.write_bytes(b"damaged" * 1_000)
    with pytest.raises(KeyStoreError):
        cache.refresh()
    assert not cache.outdated()
    clock.now += MAX_AGE_SECONDS + 1
    assert cache.outdated()


def _damage(path: Path) -> None:
    path.write_bytes(b"damaged" * 1_000)


def _truncate(path: Path) -> None:
    os.truncate(path, 5_000)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _delete_revision(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM revision")


def _link_to_itself(path: Path) -> None:
    """Raises OSError for root too, whom permissions do not stop."""
    path.unlink()
    path.symlink_to(path)


def _delete_folder(path: Path) -> None:
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
    "break_store",
    [
        _damage,
        _truncate,
        _empty,
        _delete_revision,
        _link_to_itself,
        Path.unlink,
        _delete_folder,
        _forbid,
    ],
)
def test_polling_survives_an_unreadable_store_and_recovers(
    break_store: Callable[[Path], None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
) -> None:
    store = KeyStore(tmp_path / "home" / "keys.sqlite")
    request.addfinalizer(lambda: _allow(store.path))
    made = store.create("mine")
    shutil.copy(store.path, tmp_path / "copy")
    cache = KeyCache(store)

    async def scenario() -> None:
        await asyncio.to_thread(cache.refresh)
        polling = asyncio.create_task(cache.poll())
        break_store(store.path)

        async def broken() -> bool:
            return not cache.current

        await until(broken)
        assert cache.find(made.key) is not None, "the keys read last stay valid"
        _allow(store.path)
        (tmp_path / "copy").replace(store.path)

        async def recovered() -> bool:
            return cache.current

        await until(recovered)
        assert cache.find(made.key) is not None
        await asyncio.to_thread(store.revoke, made.id)

        async def revoked() -> bool:
            return cache.find(made.key) is None

        await until(revoked)
        assert not polling.done()
        polling.cancel()

    asyncio.run(scenario())
    # seteuid holds for the whole process, and a gateway that other tests share may be polling a
    # store of its own in another thread: only this thread's log is this cache's.
    assert [
        record.message for record in caplog.records if record.thread == threading.get_ident()
    ] == ["key store unreadable", "key store readable again"]


def _rename(new: Path, path: Path) -> None:
    new.replace(path)


def _overwrite(new: Path, path: Path) -> None:
    shutil.copyfile(new, path)


@pytest.mark.parametrize("replace", [_rename, _overwrite])
def test_a_replaced_file_is_read_even_if_its_revision_is_the_same(
    replace: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    stores = [KeyStore(tmp_path / name) for name in ("keys.sqlite", "new.sqlite")]
    old, new = (store.create("mine") for store in stores)
    assert stores[0].revision() == stores[1].revision()
    cache = KeyCache(stores[0])
    cache.refresh()
    replace(stores[1].path, stores[0].path)
    cache.refresh()
    assert cache.find(old.key) is None
    assert cache.find(new.key) is not None


def test_a_secret_is_updated_as_kubernetes_does(tmp_path: Path) -> None:
    """keys.sqlite links to ..data/keys.sqlite, and ..data to a folder: that link is replaced."""
    made = [
        KeyStore(tmp_path / f"..{number}" / "keys.sqlite").create("mine") for number in range(2)
    ]
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "keys.sqlite").symlink_to("..data/keys.sqlite")
    cache = KeyCache(KeyStore(tmp_path / "keys.sqlite"))
    cache.refresh()
    assert [cache.find(each.key) is not None for each in made] == [True, False]
    (tmp_path / "..data_tmp").symlink_to("..1")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    cache.refresh()
    assert [cache.find(each.key) is not None for each in made] == [False, True]


def test_a_damaged_key_is_logged_and_not_accepted(
    store: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = store.create("mine"), store.create("other")
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE keys SET rate = 'fast' WHERE id = ?", (mine.id,))
    cache = KeyCache(store)
    with caplog.at_level(logging.ERROR):
        cache.refresh()
    assert cache.find(mine.key) is None
    assert cache.find(other.key) is not None
    assert vars(caplog.records[0])["keys"] == [mine.id]


def test_a_new_key_is_found_after_the_clock_was_set_back(store: KeyStore) -> None:
    clock = Clock(time.time())
    cache = KeyCache(store, clock)

    async def scenario() -> None:
        assert await cache.refresh_and_find("pw_wrong") is None
        clock.now -= 3_600
        made = store.create("mine")
        assert await cache.refresh_and_find(made.key) is not None
        clock.now += 7_200
        assert not cache.outdated()

    asyncio.run(scenario())


def test_a_missing_file_is_an_error_only_if_there_was_one(store: KeyStore) -> None:
    cache = KeyCache(store)
    cache.refresh()
    assert cache.find("pw_wrong") is None
    store.create("mine")
    cache.refresh()
    store.path.unlink()
    with pytest.raises(KeyStoreError, match="was deleted"):
        cache.refresh()
