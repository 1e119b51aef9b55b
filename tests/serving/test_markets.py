import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pokewatch.registry import CHAMPION, Registry
from pokewatch.serving.markets import markets_to_serve
from pokewatch.settings import RegistrySettings
from tests.serving.books import make_book


def register(market: str, folder: Path, *, champion: bool = True) -> None:
    registry = Registry(RegistrySettings.read(market=market))
    digest = make_book(folder)
    run = registry.log_run(folder, parameters={}, metrics={}, tags={"data_version": "dv"})
    version = registry.register(run, digest)
    if champion:
        registry.set_alias(CHAMPION, version.version)


def test_a_home_without_any_model_serves_its_only_market() -> None:
    assert markets_to_serve(1) == [""]


def test_markets_with_a_champion_are_served(registry_home: Path, tmp_path: Path) -> None:
    assert registry_home
    register("simulated-2", tmp_path / "a")
    register("simulated-1", tmp_path / "b")
    register("simulated-3", tmp_path / "c", champion=False)
    assert markets_to_serve(1) == ["simulated-1", "simulated-2"]
    register("", tmp_path / "d")
    assert markets_to_serve(1) == ["", "simulated-1", "simulated-2"]


def test_the_markets_of_another_model_name_are_not_its_own(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry_home
    register("simulated-1", tmp_path / "a")
    monkeypatch.setenv("POKEWATCH_MODEL_NAME", "pokewatch-other")
    assert markets_to_serve(1) == [""]


def test_those_of_the_settings_take_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_MARKETS", "magic-tcgplayer-usd, simulated-1")
    assert markets_to_serve(1) == ["magic-tcgplayer-usd", "simulated-1"]


def test_a_process_prints_them(registry_home: Path, tmp_path: Path) -> None:
    assert registry_home
    register("simulated-1", tmp_path / "a")
    command = [sys.executable, "-m", "pokewatch.serving.markets"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == '["simulated-1"]\n'


def test_the_log_says_why_a_registry_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert markets_to_serve(60) == [""]
    (message,) = caplog.messages
    assert message.startswith("the markets in the registry cannot be listed: ")
    assert "Connection refused" in message


def test_a_damaged_registry_is_not_one_without_markets(
    registry_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register("simulated-1", tmp_path / "a")
    with closing(sqlite3.connect(registry_home / "mlflow" / "mlflow.db")) as database:
        database.execute("ALTER TABLE registered_model_aliases RENAME TO others")
    assert markets_to_serve(1) == [""]
    (message,) = caplog.messages
    assert message.startswith("the markets in the registry cannot be listed: ")
    assert "no such table: registered_model_aliases" in message
