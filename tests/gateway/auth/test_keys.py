import hashlib
import multiprocessing
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.auth.key_values import parse_duration, parse_scopes
from pokewatch.gateway.auth.keys import KeyStore, NewKey
from pokewatch.gateway.auth.limits import Rate
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
    [stored] = store.list()
    assert stored.hash == hashlib.sha256(made.key.encode()).digest()
    assert (stored.name, stored.scopes, stored.rate, stored.created_at) == (
        "mine",
        frozenset({"read", "batch"}),
        Rate(5, 1),
        1_000.0,
    )
    content = store.path.read_bytes()
    assert secret.encode() not in content
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_expiry(store: KeyStore, clock: Clock) -> None:
    store.create("mine", expires=timedelta(days=90))
    [stored] = store.list()
    assert stored.expires_at == 1_000 + 90 * 86_400
    assert stored.live(stored.expires_at - 1)
    assert not stored.live(stored.expires_at)


def test_revoking(store: KeyStore, clock: Clock) -> None:
    made = store.create("mine")
    assert store.revoke(made.id).revoked_at == 1_000
    clock.now += 5
    assert store.revoke(made.id).revoked_at == 1_000, "the first time is not changed"
    assert not store.list()[0].live(clock.now)
    with pytest.raises(KeyStoreError, match="no key has the id 'other'"):
        store.revoke("other")


def test_rotating(store: KeyStore, clock: Clock) -> None:
    old = store.create("mine", scopes=["read"], rate="none", expires=timedelta(hours=2))
    clock.now += 3_600
    new = store.rotate(old.id, timedelta(minutes=10))
    assert (new.name, new.scopes, new.rate, new.expires_at) == (
        "mine",
        ("read",),
        "none",
        old.expires_at,
    )
    assert new.key != old.key
    stored = {key.id: key for key in store.list()}
    assert stored[old.id].expires_at == clock.now + 600
    assert stored[new.id].live(clock.now + 3_599)
    clock.now += 601
    with pytest.raises(KeyStoreError, match="has expired"):
        store.rotate(old.id)


def test_every_change_increments_the_revision(store: KeyStore) -> None:
    made = store.create("mine")
    revisions = [store.revision()]
    new = store.rotate(made.id)
    revisions.append(store.revision())
    store.revoke(new.id)
    revisions.append(store.revision())
    assert revisions == sorted(set(revisions))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"name": ""}, "name: got ''"),
        ({"name": "a\nb"}, "name: got"),
        ({"name": "\udcff"}, r"name: got '\\udcff'"),
        ({"name": "a\x9bb"}, "name: got"),
        ({"name": "a\u202eb"}, "name: got"),
        ({"name": " "}, "name: got ' '"),
        ({"name": "x" * 101}, "name: got 'x{60}[.]{3}', expected 1 to 100"),
        ({"name": "a", "scopes": ["write"]}, "scopes: got 'write'"),
        ({"name": "a", "scopes": []}, "scopes: got ''"),
        ({"name": "a", "rate": "fast"}, "rate: got 'fast'"),
        (
            {"name": "a", "rate": "9999999999/second"},
            "rate: got '9999999999/second', expected a number from 1 to",
        ),
        ({"name": "a", "rate": "\u0663/second"}, "rate: got"),
    ],
    ids=lambda value: str(value),
)
def test_invalid_attributes_are_rejected(
    store: KeyStore, arguments: dict[str, object], fault: str
) -> None:
    with pytest.raises(KeyStoreError, match=fault):
        store.create(**arguments)  # type: ignore[arg-type]
    assert store.list() == []


def test_durations_and_scopes() -> None:
    assert parse_duration("90d") == timedelta(days=90)
    assert parse_duration("12h") == timedelta(hours=12)
    assert parse_scopes("batch, read") == ("read", "batch")
    assert parse_duration("0s", "grace", least=0) == timedelta(0)
    assert parse_duration("36500d") == timedelta(days=36_500)


@pytest.mark.parametrize(
    "text",
    ["", "90", "d", "0d", "-1d", "1y", "999999w", "36501d", "9" * 5_000 + "s", "\u0663d", "\udcff"],
)
def test_an_invalid_duration_is_rejected_with_an_explanation(text: str) -> None:
    with pytest.raises(
        KeyStoreError,
        match=r"^expires: got '.*', expected a number and a unit, such as 90d, 12h or 30m, "
        r"from 1s to 36500d$",
    ):
        parse_duration(text)


def test_a_store_of_another_layout_is_rejected(store: KeyStore) -> None:
    store.create("mine")
    with sqlite3.connect(store.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(KeyStoreError, match="has layout 99"):
        store.list()


def test_the_error_names_a_damaged_store(store: KeyStore) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    for use in (store.list, store.revision, lambda: store.create("mine")):
        with pytest.raises(KeyStoreError, match=r"keys\.sqlite: .*restore the file from a backup"):
            use()


def test_a_truncated_store_is_an_error(store: KeyStore) -> None:
    store.create("mine")
    os.truncate(store.path, 0)
    with pytest.raises(KeyStoreError, match="is not a key store"):
        store.create("other")
    with pytest.raises(KeyStoreError, match="is not a key store"):
        store.list()


@pytest.mark.parametrize(
    "damage",
    [
        "expires_at = 6.04799396e11",
        "expires_at = 'soon'",
        "rate = 'fast'",
        "scopes = NULL",
        "hash = 'text'",
        "name = x'ff', created_at = 1e300",
    ],
)
def test_a_damaged_key_does_not_affect_others(damage: str, store: KeyStore) -> None:
    mine, other = store.create("mine"), store.create("other")
    with closing(sqlite3.connect(store.path)) as database, database:
        database.executescript(
            "CREATE TABLE loose AS SELECT * FROM keys; DROP TABLE keys; "
            "ALTER TABLE loose RENAME TO keys;"
        )
        database.execute(f"UPDATE keys SET {damage} WHERE id = ?", (mine.id,))
    stored = {key.id: key for key in store.list()}
    assert stored.keys() == {mine.id, other.id}
    assert stored[other.id].live(1_000)
    assert store.revoke(mine.id).id == mine.id
    assert not {key.id: key for key in store.list()}[mine.id].live(0)


def test_a_key_that_expires_after_the_last_date_can_be_rotated(store: KeyStore) -> None:
    old = store.create("mine", expires=timedelta(days=1))
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE keys SET expires_at = 1e300")
    assert store.rotate(old.id).expires_at == 1_000 + 36_500 * 86_400


def test_a_key_that_cannot_be_shown_is_not_created(store: KeyStore) -> None:
    old = store.create("mine")
    shown: list[NewKey] = []

    def fail(made: NewKey) -> None:
        shown.append(made)
        raise OSError("disk full")

    actions: list[Callable[[], object]] = [
        lambda: store.create("other", show=fail),
        lambda: store.rotate(old.id, show=fail),
    ]
    for action in actions:
        with pytest.raises(OSError, match="disk full"):
            action()
    assert len(shown) == 2
    assert [(key.id, key.expires_at) for key in store.list()] == [(old.id, None)]


def test_a_revoked_key_is_not_extended(store: KeyStore, clock: Clock) -> None:
    made = store.create("mine", expires=timedelta(minutes=1))
    clock.now += 120
    store.extend(made.id, timedelta(minutes=1))
    assert store.list()[0].live(clock.now + 59)
    store.revoke(made.id)
    store.extend(made.id, timedelta(minutes=1))
    assert not store.list()[0].live(clock.now)


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_only_its_owner_can_read_a_store(umask: None, store: KeyStore) -> None:
    store.create("mine")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    store.path.chmod(0o644)  # as after a copy
    store.create("other")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_store_is_created_atomically(store: KeyStore) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_exit_while_creating, args=(store.path,)
    )
    process.start()
    process.join(30)
    assert process.exitcode == 9
    assert not store.path.exists()
    assert store.list() == []
    store.create("mine")
    assert len(store.list()) == 1


def _exit_while_creating(path: Path) -> None:
    os.link = lambda *_: os._exit(9)
    KeyStore(path).create("mine")


def test_processes_can_create_keys_at_the_same_time(store: KeyStore) -> None:
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
