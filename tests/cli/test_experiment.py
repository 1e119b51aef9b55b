"""`pokewatch experiment` from start to stop."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pokewatch.cli.main import main
from pokewatch.experiments.update import ExperimentUpdate
from pokewatch.registry import CHAMPION, Registry
from tests.experiments.books import register, register_pair
from tests.experiments.test_event_rates import event, write
from tests.monitoring.test_calibration import panel


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path) -> Registry:
    registry = Registry()
    registry.set_alias(CHAMPION, register(registry, tmp_path / "first", 40).version)
    return registry


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["experiment", *arguments], env={"COLUMNS": "100"})


def test_an_experiment_from_start_to_stop(registry: Registry, tmp_path: Path) -> None:
    assert run("status").output == "there is no experiment to show\n"
    started = run("start", "boosted")
    assert started.exit_code == 0, started.output
    assert "experiment 1: boosted against local_level, from the next run" in started.output
    assert "no result yet: the first comes 7 days after a pipeline run" in run("status").output
    again = run("start", "median7")
    assert (again.exit_code, "experiment 1 is running" in again.output) == (2, True)

    for last in (44, 45):
        register_pair(registry, tmp_path, last)
    ExperimentUpdate(panel(), registry, registry.resolve()).run()
    shown = run("status").output
    assert "2 days of forecasts compared, 40 prices" in shown
    assert "evidence that boosted is better" in shown
    assert "against that of local_level -100.0%; mean difference +1.000" in " ".join(shown.split())
    (found,) = json.loads(run("status", "--json").output)["experiments"]
    assert (found["state"], found["days"]) == ("running", 2)

    assert run("stop", "--reason", "enough").output == "experiment 1 is stopped: enough\n"
    assert "stopped: enough" in run("status").output
    assert run("stop").exit_code == 2
    restarted = json.loads(run("start", "median7", "--json").output)
    assert (restarted["number"], restarted["state"], restarted["series"]) == (2, "running", [])
    stopped = json.loads(run("stop", "--json").output)
    assert stopped == {"number": 2, "state": "stopped", "outcome": "stopped on request"}


def test_an_unknown_model_is_refused_with_those_there_are(registry: Registry) -> None:
    result = run("start", "bosted")
    assert result.exit_code == 2
    assert "there is no model 'bosted': it must be one of last, rolling_mean" in result.output


def test_outcomes_are_those_of_the_event_log(home: Path) -> None:
    assert "POKEWATCH_EVENTS=true" in run("outcomes").output
    for number in range(6):
        arm = ("champion", "challenger")[number % 2]
        events = [event(f"{0:08x}{number:08x}", "exposure", "BUY", arm)]
        write(home / "events", [*events, event(f"{0:08x}{number:08x}", "outcome", "HOLD", arm)])
    text = " ".join(run("outcomes").output.split())
    for said in (
        "experiment 3 of m, 2026-03-01 to 2026-03-01: 12 events",
        "challenger: 3 signals shown and 3 prices judged in 3 sessions, of 3 callers or more",
        "BUY of the signals shown 100.0%, 95% interval",
        "the challenger's less the champion's sessions that judged a price 0.0%, 95% interval -",
    ):
        assert said in text, said
    (found,) = json.loads(run("outcomes", "--json").output)["experiments"]
    assert [each["arm"] for each in found["arms"]] == ["champion", "challenger"]
