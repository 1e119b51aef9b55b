"""`pokewatch rollback` in a terminal and in scripts."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pokewatch.cli.main import main
from pokewatch.registry import CHAMPION, PREVIOUS, Registry
from tests.deploy.versions import register_book
from tests.monitoring.listener import listening

pytestmark = pytest.mark.integration

ROLLBACK = [str(Path(sys.executable).with_name("pokewatch")), "rollback"]


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Version 2, of real prices in euros, is champion; before it, 1 was."""
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", "http://127.0.0.1:9")
    registry = Registry()
    register_book(registry, tmp_path / "1", 999)
    register_book(registry, tmp_path / "2", 12, market="file-mine", currency="EUR")
    registry.set_alias(CHAMPION, "2")
    registry.set_alias(PREVIOUS, "1")
    return registry


@pytest.mark.parametrize(
    ("answer", "code", "champion"), [("y", 0, "1"), ("n", 1, "2")], ids=["yes", "no"]
)
def test_it_shows_the_change_and_asks_for_confirmation(
    answer: str, code: int, champion: str, registry: Registry
) -> None:
    person, terminal = pty.openpty()
    with subprocess.Popen(
        ROLLBACK, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        os.write(person, f"{answer}\n".encode())
        _, shown = process.communicate()
    os.close(person)
    os.close(terminal)
    assert process.returncode == code, shown
    rows = [line.split() for line in shown.splitlines()[:3]]
    assert rows[0] == ["version", "market", "currency", "cards", "prices", "of"]
    assert rows[1] == [
        "champion",
        "now",
        "2",
        "file-mine",
        "EUR",
        "12",
        "2026-01-01",
        "to",
        "2026-01-05",
    ]
    assert rows[2] == [
        "after",
        "the",
        "rollback",
        "1",
        "simulated-0",
        "USD",
        "999",
        "2026-01-01",
        "to",
        "2026-01-05",
    ]
    assert "Make version 1 champion? [y/N]" in shown
    assert registry.resolve().version == champion


def test_without_a_terminal_it_refuses(registry: Registry) -> None:
    done = CliRunner().invoke(main, ["rollback"])
    assert done.exit_code == 2
    assert "there is no terminal to ask for confirmation: add --yes" in done.stderr
    assert registry.resolve().version == "2"


@pytest.mark.slow
def test_a_script_confirms_with_an_option(registry: Registry) -> None:
    done = subprocess.run(
        [*ROLLBACK, "--yes"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "model version 1 is champion again",
        "http://127.0.0.1:9: not running",
    ]
    assert (registry.resolve().version, registry.resolve(PREVIOUS).version) == ("1", "2")


def test_a_script_that_fails_notifies_people(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.delete_alias(PREVIOUS)
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        done = CliRunner().invoke(main, ["rollback", "--yes"])
    assert done.exit_code != 0
    (sent,) = listener.heard
    assert sent["title"] == "PokeWatch: the rollback failed"
    assert sent["message"].rstrip(".") in done.stderr
