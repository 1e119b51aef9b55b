"""`pokewatch keys`, in a separate process where bytes and standard output matter."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pokewatch.cli.main import main
from pokewatch.gateway.auth.keys import KeyStore


@pytest.fixture
def store(home: Path) -> KeyStore:
    return KeyStore(home / "keys.sqlite")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def process(
    *arguments: str | bytes, shell: str = 'exec "$@"', stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a shell, which may redirect its output."""
    command = [sys.executable, "-m", "pokewatch.cli.main", "keys", *arguments]
    return subprocess.run(
        ["sh", "-c", shell, "sh", *command], stdout=stdout, stderr=subprocess.PIPE, timeout=60
    )


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize(
    "grace", [(), ("--grace", "0s"), ("--grace", "1h")], ids=["default", "none", "an-hour"]
)
def test_rotating_ends_the_old_key_and_prints_the_new(
    grace: tuple[str, ...], store: KeyStore
) -> None:
    old = json.loads(run("create", "shop", "--json").stdout)
    result = run("rotate", old["id"], *grace, "--json")
    assert result.exit_code == 0, result.output
    new = json.loads(result.stdout)
    assert new["name"] == "shop"
    states = {row["id"]: row["state"] for row in json.loads(run("list", "--json").stdout)}
    assert states == {old["id"]: "live" if grace[1:] == ("1h",) else "expired", new["id"]: "live"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [  # an invalid value exits with 2, an unknown key with 3
        (("create", b"\xff"), r"name: got '\udcff', expected 1 to 100 printable characters"),
        (("create", "a\x1b[2Jb"), "name: got 'a\\x1b[2Jb'"),
        (("create", "x" * 100_000), "expected 1 to 100 printable characters"),
        (
            ("create", "shop", "--expires", "999999w"),
            "expires: got '999999w', expected a number and a unit",
        ),
        (("create", "shop", "--expires", ""), "expires: got '', expected a number and a unit"),
        (("create", "shop", "--expires", b"\xff"), "expires: got"),
        (
            ("create", "shop", "--rate", "99999999999/day"),
            "rate: got '99999999999/day', expected a number from 1 to 999999999",
        ),
        (("create", "shop", "--rate", b"\xff"), "rate: got"),
        (("create", "shop", "--scopes", b"\xff"), "scopes: got"),
        (("revoke", b"\xff"), r"no key has the id '\udcff': list the keys"),
        (("rotate", b"\xff"), r"no key has the id '\udcff'"),
        (
            ("rotate", "0" * 12, "--grace", "9999999999w"),
            "grace: got '9999999999w', expected a number and a unit",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_argument_is_one_line(
    arguments: tuple[str | bytes, ...], message: str, store: KeyStore
) -> None:
    result = process(*arguments)
    assert result.returncode == (3 if "no key has" in message else 2)
    (line,) = result.stderr.decode().splitlines()
    assert message in line
    assert len(line) < 300
    assert store.list() == []


def test_a_store_that_cannot_be_used_exits_as_other_stores(store: KeyStore) -> None:
    store.path.write_bytes(b"damaged" * 1_000)
    for arguments in (("create", "shop"), ("list",), ("revoke", "0" * 12)):
        assert run(*arguments).exit_code == 4
    store.path.unlink()
    expired = store.create("shop")
    store.revoke(expired.id)
    assert run("rotate", expired.id).exit_code == 3


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize(
    ("output", "message"),
    [(">/dev/full", b"No space left"), (">&-", b"closed"), ("", b"no key was created")],
    ids=["full", "closed", "no-reader"],
)
def test_a_key_that_cannot_be_printed_is_not_made(
    output: str, message: bytes, as_json: bool, unread: int, store: KeyStore
) -> None:
    old = store.create("shop")
    for arguments in (("create", "other"), ("rotate", old.id)):
        result = process(
            *arguments, *(["--json"] if as_json else []), shell=f'"$@" {output}', stdout=unread
        )
        assert result.returncode == 1
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert [(key.id, key.expires_at) for key in store.list()] == [(old.id, None)]


def test_a_printed_key_is_made_even_if_the_rest_cannot_be_printed(store: KeyStore) -> None:
    result = process("create", "shop", shell='"$@" 2>/dev/full')
    assert result.returncode == 0
    assert result.stdout.decode().split("_")[1] == store.list()[0].id


@pytest.mark.parametrize("output", [">/dev/full", ">&-"], ids=["full", "closed"])
def test_a_list_that_cannot_be_printed_is_an_error(output: str, store: KeyStore) -> None:
    store.create("shop")
    for more in ([], ["--json"]):
        result = process("list", *more, shell=f'"$@" {output}')
        assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize(
    ("damage", "state"),
    [
        ("expires_at = 6.04799396e11", "live"),
        ("created_at = -1e300", "live"),
        ("rate = 'fast'", "damaged"),
        ("name = 7, hash = 'x'", "damaged"),
    ],
)
def test_a_damaged_entry_is_listed_with_the_others(
    damage: str, state: str, store: KeyStore
) -> None:
    bad, good = store.create("bad"), store.create("good")
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute(f"UPDATE keys SET {damage} WHERE id = ?", (bad.id,))
    rows = {row["id"]: row for row in json.loads(run("list", "--json").stdout)}
    assert (rows[bad.id]["state"], rows[good.id]["state"]) == (state, "live")
    assert run("list").exit_code == 0
    assert run("revoke", bad.id).exit_code == 0


def test_a_name_may_be_in_any_script(store: KeyStore) -> None:
    name = "магазин ポケモン 🃏"
    assert json.loads(run("create", name, "--json").stdout)["name"] == name
    assert name in run("list").stdout
    assert os.fsencode(name) in process("list").stdout


def test_the_doctor_checks_the_keys(store: KeyStore) -> None:
    def found() -> dict[str, str]:
        findings = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
        return next((finding for finding in findings if finding["name"] == "keys"), {})

    assert found() == {}
    key = store.create("shop")
    assert (found()["state"], found()["detail"]) == ("ok", "1 live of 1")
    store.path.chmod(0o644)
    assert (found()["state"], found()["remedy"]) == ("fault", f"chmod 600 {store.path}")
    store.path.chmod(0o600)
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE keys SET rate = 'fast'")
    assert (found()["state"], found()["detail"]) == ("fault", f"damaged: {key.id}")
    store.path.write_bytes(b"damaged" * 1_000)
    assert found()["state"] == "fault"
