"""Experiments through the steps of the flows."""

from dataclasses import replace
from pathlib import Path

import pytest

from pokewatch.deploy.records import OUTCOME, DeployRecords
from pokewatch.deploy.rollout import rollback
from pokewatch.errors import DeployBusyError, RegistryError
from pokewatch.experiments.records import Experiment, ExperimentRecords
from pokewatch.experiments.sequential import Rule
from pokewatch.experiments.update import COMPARED_WITH, GATE_FAILED
from pokewatch.pipeline import experiments
from pokewatch.pipeline.experiments import (
    Challenger,
    find_challenger,
    held_by,
    promote,
    register_beside,
    start_experiment,
    stop_experiment,
    with_challenger,
)
from pokewatch.pipeline.selection import select_model
from pokewatch.pipeline.training import evaluate_candidate, train
from pokewatch.registry import CHALLENGER, CHAMPION, Registry
from pokewatch.registry_records import EXPERIMENT
from tests.champion import make_champion
from tests.experiments.books import register, register_pair
from tests.monitoring.listener import listening


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry whose champion is version 1, of the model local_level."""
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", "http://127.0.0.1:9")
    registry = Registry()
    registry.set_alias(CHAMPION, register(registry, tmp_path / "first", 40).version)
    return registry


def running(registry: Registry) -> Experiment:
    return ExperimentRecords(registry).start("boosted", Rule(horizon=7))


def won(registry: Registry) -> Experiment:
    """Start an experiment whose verdict is to promote."""
    experiment = running(registry)
    ExperimentRecords(registry).decide(experiment.number, "promote")
    return experiment


def test_the_rule_is_that_of_the_settings(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_EXPERIMENT_EVIDENCE", "100")
    monkeypatch.setenv("POKEWATCH_EXPERIMENT_LONGEST_DAYS", "90")
    monkeypatch.setenv("POKEWATCH_MONITOR_COVERAGE_LOW", "0.8")
    assert start_experiment(registry, "boosted").plan.rule == Rule(
        horizon=7, threshold=100, longest=90, coverage=(0.8, 0.94)
    )


def test_the_challenger_is_a_candidate_of_its_market(registry: Registry) -> None:
    assert with_challenger(["median7"], "simulated-0") == ["median7"]
    running(registry)
    assert with_challenger(["median7"], "simulated-0") == ["median7", "boosted"]
    assert with_challenger(["median7", "boosted"], "simulated-0") == ["median7", "boosted"]
    assert with_challenger(["median7"], "simulated-7") == ["median7"]


def test_a_first_run_has_no_experiment(registry_home: Path) -> None:
    assert with_challenger(["median7"], "simulated-0") == ["median7"]
    assert find_challenger([], "median7", "simulated-0") is None


@pytest.mark.slow
def test_the_pipeline_keeps_the_champions_model_and_registers_the_challenger_beside_it(
    registry_home: Path,
) -> None:
    made = make_champion(cards=120, days=60, name="rolling_mean")
    registry, version = Registry(), made.model.data_version
    names = ["rolling_mean", "median7"]
    candidates = [evaluate_candidate(version, name, 7) for name in names]
    free = select_model(candidates)
    assert find_challenger(candidates, free.model, "simulated-0") is None, "none runs"
    ExperimentRecords(registry).start("median7", Rule(horizon=7))
    held = select_model(candidates)
    assert held.model == "rolling_mean"
    assert held.reasons == ("rolling_mean stays while experiment 1 compares it with median7",)
    challenger = find_challenger(candidates, held.model, "simulated-0")
    assert challenger is not None
    assert (challenger.experiment, challenger.model) == (1, "median7")
    assert find_challenger(candidates, "median7", "simulated-0") is None, (
        "the champion's model left"
    )
    assert find_challenger(candidates[:1], held.model, "simulated-0") is None, "not evaluated"

    before = registry.resolve(CHALLENGER)
    evaluation = candidates[1].to_dict()
    given = made.collected, version, train(version, ["median7"], 7)["median7"], evaluation
    tags = {"metaflow_run_id": "run-7"}
    said = register_beside(challenger, made.model, *given, tags)
    assert said == "experiment 1: median7 is version 2, compared with version 1"
    assert register_beside(challenger, made.model, *given, tags) == said, "a second attempt"
    registered = registry.version("2")
    assert (registered.tags[EXPERIMENT], registered.tags[COMPARED_WITH]) == ("1", "1")
    assert registered.tags["model"] == "median7"
    assert registry.open_book(registered).facts.model == "median7"
    assert registry.resolve(CHALLENGER) == before, "no alias moves"


def test_a_challenger_that_cannot_be_registered_does_not_stop_the_run(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise RegistryError("the registry is gone")

    monkeypatch.setattr(experiments, "register_version", failing)
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        said = register_beside(Challenger(1, "boosted", ""), registry.resolve(), *[None] * 4, {})
    assert said == "boosted was not registered beside version 1: the registry is gone"
    assert listener.titles() == ["PokeWatch: experiment 1: a day is missing"]


def test_a_winner_is_deployed_kept_and_can_be_rolled_back(
    registry: Registry, tmp_path: Path
) -> None:
    assert promote(registry) == ""
    won(registry)
    champion, challenger = register_pair(registry, tmp_path, 45)
    registry.set_alias(CHAMPION, champion.version)
    assert held_by(registry, champion).startswith("local_level stays while experiment 1")
    assert promote(registry) == f"boosted is champion since version {challenger.version}"
    assert registry.resolve() == registry.version(challenger.version)
    (ended,) = ExperimentRecords(registry).newest()
    assert (ended.state, ended.verdict) == ("promoted", "promote")
    assert promote(registry) == "", "it has ended"
    assert held_by(registry, registry.resolve()) == (
        "boosted stays, which experiment 1 found better than local_level"
    )
    rollback(registry)
    assert registry.resolve().version == champion.version
    assert held_by(registry, registry.resolve()) == ""


def test_a_promotion_killed_after_its_deploy_is_completed(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    won(registry)
    _, challenger = register_pair(registry, tmp_path, 45)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ExperimentRecords, "end", killed)
        with pytest.raises(KeyboardInterrupt):
            promote(registry)
    assert registry.resolve().version == challenger.version
    assert promote(registry) == f"boosted is champion since version {challenger.version}"
    assert ExperimentRecords(registry).newest()[0].state == "promoted"


def test_a_stop_waits_for_the_deploy_of_a_winner(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_DEPLOY_WAIT_SECONDS", "0.2")
    won(registry)
    records = DeployRecords(registry)
    winners = records.create("deploy", "2")
    with pytest.raises(DeployBusyError, match=r"deploy 1 of version 2, .* has not ended"):
        stop_experiment(registry, "changed my mind")
    assert ExperimentRecords(registry).newest()[0].state == "running"
    records.set_tag(winners.number, OUTCOME, "version 1 is champion again")
    assert stop_experiment(registry, "changed my mind").state == "stopped"


@pytest.mark.parametrize(
    ("last", "tags", "reason"),
    [
        pytest.param(39, {}, "is older than the champion's", id="old"),
        pytest.param(
            45, {GATE_FAILED: "mape is 20%"}, "did not pass the gate: mape is 20%", id="gate"
        ),
        pytest.param(45, {"refused": "its canary failed"}, "stays refused", id="refused"),
    ],
)
def test_a_winner_that_cannot_be_deployed_yet_waits(
    registry: Registry,
    tmp_path: Path,
    last: int,
    tags: dict[str, str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    won(registry)
    champion = registry.resolve()
    register_pair(registry, tmp_path, last, 1.1, **tags)
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        for _ in range(2):
            assert reason in promote(registry)
    assert registry.resolve() == champion
    assert ExperimentRecords(registry).running() is not None
    assert listener.titles() == ["PokeWatch: experiment 1: the promotion waits"]


def test_a_winner_without_any_version_waits(registry: Registry) -> None:
    won(registry)
    assert promote(registry).endswith("not deployed yet: the challenger has no version")


def test_another_market_is_not_held(registry: Registry) -> None:
    running(registry)
    champion = registry.resolve()
    elsewhere = replace(champion, tags={**champion.tags, "market": "simulated-7"})
    assert held_by(registry, elsewhere) == ""
    assert held_by(registry, replace(champion, tags={**champion.tags, "model": "last"})) == ""
