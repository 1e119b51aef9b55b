"""The daily flow in a separate process."""

import re
from pathlib import Path
from typing import Any

import pytest

from pokewatch.errors import NoChampionError
from pokewatch.registry import Registry
from tests.integration.flow import card_text, last_card, run_flow

pytestmark = pytest.mark.integration

SMALL = ("--cards", "120", "--days", "60", "--to", "2026-01-31")
NO_SERVER: dict[str, Any] = {"POKEWATCH_MLSERVER_URLS": "http://127.0.0.1:9"}


def test_a_refusal_is_on_the_card_and_resume_deploys_once_the_gate_allows(
    registry_home: Path, tmp_path: Path
) -> None:
    options = (*SMALL, "--shards", "2", "--candidates", "median7,local_level")
    refused = run_flow(tmp_path, "run", *options, **NO_SERVER, POKEWATCH_GATE_MAPE="0.001")
    assert refused.returncode != 0
    assert "did not pass the gate: mape is" in refused.stdout
    with pytest.raises(NoChampionError):
        Registry().resolve()
    assert "the champion stays" in card_text(last_card(registry_home, "gate"))
    assert "simulated market" in card_text(last_card(registry_home, "validate"))

    resumed = run_flow(tmp_path, "resume", "gate", **NO_SERVER)
    assert resumed.returncode == 0, resumed.stdout
    assert "Cloning previously run task" in resumed.stdout
    champion = Registry().resolve()
    assert f"model version {champion.version}" in resumed.stdout
    assert champion.tags["metaflow_flow"] == "PokeWatchFlow"
    assert "All checks of the gate passed" in card_text(last_card(registry_home, "gate"))
    assert "not running" in card_text(last_card(registry_home, "deploy"))
    (run_id,) = re.findall(r"run-id (\d+)", resumed.stdout)
    again = run_flow(tmp_path, "resume", "--origin-run-id", run_id, **NO_SERVER)
    assert again.returncode != 0
    assert "ended successfully, so there is nothing to resume" in again.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_parameter_ends_the_run_before_it_writes(home: Path, tmp_path: Path) -> None:
    stopped = run_flow(tmp_path, "run", "--horizon", "0")
    assert stopped.returncode != 0
    assert "Error: --horizon 0: use a number from 1 to" in stopped.stdout
    assert not (home / "lake").exists()


@pytest.mark.parametrize("step", [[], ["gate"]], ids=["run", "step"])
def test_a_run_to_resume_that_does_not_exist_is_named(
    step: list[str], home: Path, tmp_path: Path
) -> None:
    stopped = run_flow(tmp_path, "resume", *step, "--origin-run-id", "999")
    assert stopped.returncode == 1
    assert "There is no run '999' of PokeWatchFlow" in stopped.stdout
    assert "Traceback" not in stopped.stdout


@pytest.mark.slow
def test_the_flow_writes_only_to_a_home_with_special_characters(tmp_path: Path) -> None:
    home = tmp_path / "a#b?c$HOME %20 k\u00e4se 'q'"
    (tmp_path / "work").mkdir()
    settings: dict[str, Any] = {"POKEWATCH_HOME": str(home), "POKEWATCH_GATE_MAPE": "100"}
    run = run_flow(tmp_path / "work", "run", *SMALL, "--shards", "3", **NO_SERVER, **settings)
    assert run.returncode == 0, run.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([home.name, "work"])
    assert not any((tmp_path / "work").iterdir())
    assert home.stat().st_mode & 0o777 == 0o700
