import hashlib
import multiprocessing
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.keys import KeyStore, parse_duration, parse_scopes
from pokewatch.gateway.limits import Rate
from tests.gateway.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> KeyStore:
    return KeyStore(tmp_path / "home" / "keys.sqlite", clock)


def test_a_key_is_stored_as_its_hash(store: KeyStore) -> None:
    made = store.create("mine", rate="5/second")
    prefix, key_id, secret = made.key.split("_", 2)
    assert (prefix, key_id, len(secret)) == ("pw", made.id, 43)
    [kept] = store.list()
    assert kept.hash == hashlib.sha256(made.key.encode()).digest()
    assert (kept.name, kept.scopes, kept.rate, kept.created_at) == ("mine", frozenset({"read", "batch"}), Rate(5, 1), 1_000.0)
    content = store.path.read_bytes()
    assert secret.encode() not in content
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_expiry(store: KeyStore, clock: Clock) -> None:
    store.create("mine", expires=timedelta(days=90))
    [kept] = store.list()
    assert kept.expires_at == 1_000 + 90 * 86_400
    assert kept.live(kept.expires_at - 1)
    assert not kept.live(kept.expires_at)


def test_revoking(store: KeyStore, clock: Clock) -> None:
    made = store.create("mine")
    assert store.revoke(made.id).revoked_at == 1_000
    clock.now += 5
    assert store.revoke(made.id).revoked_at == 1_000, "the first time stays"
    assert not store.list()[0].live(clock.now)
    with pytest.raises(KeyStoreError, match="no key has the id 'other'"):
        store.revoke("other")


def test_rotating(store: KeyStore, clock: Clock) -> None:
    old = store.create("mine", scopes=["read"], rate="none", expires=timedelta(hours=2))
    clock.now += 3_600
    new = store.rotate(old.id, timedelta(minutes=10))
    assert (new.name, new.scopes, new.rate, new.expires_at) == ("mine", ("read",), "none", old.expires_at)
    assert new.key != old.key
    kept = {key.id: key for key in store.list()}
    assert kept[old.id].expires_at == clock.now + 600
    assert kept[new.id].live(clock.now + 3_599)
    clock.now += 601
    with pytest.raises(KeyStoreError, match="has ended"):
        store.rotate(old.id)


def test_every_change_is_a_new_revision(store: KeyStore) -> None:
    seen = [store.revision()]
    made = store.create("mine")
    seen.append(store.revision())
    new = store.rotate(made.id)
    seen.append(store.revision())
    store.revoke(new.id)
    seen.append(store.revision())
    assert seen == sorted(set(seen))
    assert seen[0] == -1


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"name": ""}, "name: got ''"),
        ({"name": "a\nb"}, "name: got"),
        ({"name": "a", "scopes": ["write"]}, "scopes: got 'write'"),
        ({"name": "a", "scopes": []}, "scopes: got ''"),
        ({"name": "a", "rate": "fast"}, "rate: got 'fast'"),
    ],
    ids=lambda value: str(value),
)
def test_keys_that_are_not_made(store: KeyStore, arguments: dict[str, object], fault: str) -> None:
    with pytest.raises(KeyStoreError, match=fault):
        store.create(**arguments)  # type: ignore[arg-type]
    assert store.list() == []


def test_durations_and_scopes() -> None:
    assert parse_duration("90d") == timedelta(days=90)
    assert parse_duration("12h") == timedelta(hours=12)
    assert parse_scopes("batch, read") == ("read", "batch")
    for text in ("", "90", "d", "0d", "-1d", "1y"):
        with pytest.raises(KeyStoreError, match="expires: got"):
            parse_duration(text)


def test_a_store_of_another_layout_is_refused(store: KeyStore) -> None:
    store.create("mine")
    with sqlite3.connect(store.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(KeyStoreError, match="has layout 99"):
        store.list()


def test_a_damaged_store_is_named(store: KeyStore) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    for use in (store.list, store.revision, lambda: store.create("mine")):
        with pytest.raises(KeyStoreError, match=r"keys\.sqlite"):
            use()


def test_processes_may_make_keys_at_once(store: KeyStore) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_create, args=(store.path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (len(store.list()), store.revision()) == (20, 20)


def _create(path: Path) -> None:
    for number in range(10):
        KeyStore(path).create(f"key {number}")
