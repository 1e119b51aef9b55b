"""An experiment through the flows, each in a process of its own."""

from pathlib import Path
from typing import Any

import pytest

from pokewatch.experiments.records import ExperimentRecords
from pokewatch.experiments.update import COMPARED_WITH
from pokewatch.pipeline.experiments import start_experiment
from pokewatch.registry import Registry
from pokewatch.registry_records import EXPERIMENT
from tests.experiments.test_event_rates import event, write
from tests.integration.flow import FLOW, card_text, last_card, run_flow

MARKET = ("--cards", "120", "--days", "60")
SETTINGS: dict[str, Any] = {
    "POKEWATCH_MLSERVER_URLS": "http://127.0.0.1:9",
    "POKEWATCH_GATE_MAPE": "100",
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_challenger_is_registered_beside_the_champion_and_compared(
    registry_home: Path, tmp_path: Path
) -> None:
    def pipeline(day: str) -> str:
        ran = run_flow(
            tmp_path, "run", *MARKET, "--to", day, "--candidates", "rolling_mean", **SETTINGS
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    pipeline("2026-01-30")
    registry = Registry()
    start_experiment(registry, "median7")
    output = pipeline("2026-01-31")
    assert "experiment 1: median7 is version 3, compared with version 2" in output
    assert registry.resolve().version == "2"
    challenger = registry.version("3").tags
    assert (challenger["model"], challenger[EXPERIMENT], challenger[COMPARED_WITH]) == (
        "median7",
        "1",
        "2",
    )
    exposure = event("0" * 16, "exposure", "BUY")._replace(market="simulated-0")
    write(registry_home / "events", [exposure])
    monitored = run_flow(tmp_path, "run", *MARKET, flow=FLOW.with_name("monitor.py"), **SETTINGS)
    assert monitored.returncode == 0, monitored.stdout
    card = card_text(last_card(registry_home, "act"))
    assert "Experiment 1: median7 against rolling_mean" in card
    assert "There is no result yet." in card
    assert "What callers did in experiment 3" in card
    assert ExperimentRecords(registry).running() is not None
