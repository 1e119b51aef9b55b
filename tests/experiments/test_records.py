"""Experiments in a real registry."""

import re
from pathlib import Path

import pytest

from pokewatch.errors import ExperimentError, NoChampionError
from pokewatch.experiments.records import ExperimentRecords
from pokewatch.experiments.sequential import Rule
from pokewatch.registry import CHAMPION, NOT_EVALUATED, RegisteredModel, Registry
from tests.experiments.books import register
from tests.experiments.standings import day_result

RULE = Rule(horizon=7, longest=90, coverage=(0.8, 0.95))


@pytest.fixture
def champion(registry_home: Path, tmp_path: Path) -> RegisteredModel:
    registry = Registry()
    model = register(registry, tmp_path / "book", 45)
    registry.set_alias(CHAMPION, model.version)
    return model


def test_an_experiment_is_recorded_with_its_plan(champion: RegisteredModel) -> None:
    started = ExperimentRecords(Registry()).start("boosted", RULE)
    found = ExperimentRecords(Registry()).running()
    assert found == started
    assert (found.number, found.state, found.verdict) == (1, "running", "continue")
    assert (found.plan.champion, found.plan.challenger) == ("local_level", "boosted")
    assert (found.plan.market, found.plan.rule) == ("simulated-0", RULE)


@pytest.mark.parametrize(
    ("challenger", "message"),
    [
        pytest.param("bosted", "no model 'bosted': it must be one of last, ", id="unknown"),
        pytest.param("local_level", "the champion is local_level already", id="the champion's"),
    ],
)
def test_models_that_cannot_be_compared(
    champion: RegisteredModel, challenger: str, message: str
) -> None:
    with pytest.raises(ExperimentError, match=re.escape(message)):
        ExperimentRecords(Registry()).start(challenger, RULE)
    assert ExperimentRecords(Registry()).newest() == []


def test_a_market_without_evaluation_has_no_experiment(champion: RegisteredModel) -> None:
    registry = Registry()
    registry.set_tag(champion.version, NOT_EVALUATED, "registered without evaluation: 3 days")
    with pytest.raises(ExperimentError, match="models can be evaluated"):
        ExperimentRecords(registry).start("boosted", RULE)


def test_without_a_champion_there_is_nothing_to_compare_with(registry_home: Path) -> None:
    with pytest.raises(NoChampionError):
        ExperimentRecords(Registry()).start("boosted", RULE)


def test_one_experiment_runs_at_a_time(
    champion: RegisteredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = ExperimentRecords(Registry())
    records.start("boosted", RULE)
    with pytest.raises(ExperimentError, match="experiment 1 is running, boosted against local_lev"):
        records.start("median7", RULE)
    # Of two started at once, neither of which saw the other, the first one goes on.
    running = ExperimentRecords.running
    answers = iter([None])
    monkeypatch.setattr(ExperimentRecords, "running", lambda self: next(answers, running(self)))
    with pytest.raises(ExperimentError, match="experiment 1 is running"):
        records.start("median7", RULE)
    monkeypatch.undo()
    assert [(each.number, each.state) for each in records.newest()] == [
        (2, "stopped"),
        (1, "running"),
    ]


def test_a_stopped_experiment_stays_in_the_history(champion: RegisteredModel) -> None:
    records = ExperimentRecords(Registry())
    records.start("boosted", RULE)
    stopped = records.stop("the market is closed")
    assert (stopped.state, stopped.outcome) == ("stopped", "the market is closed")
    assert records.running() is None
    assert records.newest() == [stopped]
    with pytest.raises(ExperimentError, match="no experiment is running"):
        records.stop("again")
    assert records.start("median7", RULE).number == 2


def test_results_are_stored_and_verified(champion: RegisteredModel) -> None:
    registry = Registry()
    records = ExperimentRecords(registry)
    started = records.start("boosted", RULE)
    assert records.read_results(started) == []
    first, both = [day_result(0, 0.1)], [day_result(0, 0.1), day_result(1, -0.25)]
    records.write_results(started, champion, first)
    records.write_results(started, champion, both)
    found = records.running()
    assert found is not None
    assert records.read_results(found) == both
    with registry.client("test") as client:
        root = Path(client.get_run(champion.run_id).info.artifact_uri.removeprefix("file://"))
    path = root / found.results["name"]
    path.write_text(path.read_text().replace("-0.25", "0.25"))
    with pytest.raises(ExperimentError, match="the results of experiment 1 are damaged"):
        records.read_results(found)


def test_branches_have_experiments_of_their_own(
    champion: RegisteredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ExperimentRecords(Registry()).start("boosted", RULE)
    monkeypatch.setenv("POKEWATCH_BRANCH", "test.mine")
    assert ExperimentRecords(Registry()).newest() == []
