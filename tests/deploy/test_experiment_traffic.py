"""Callers of an experiment's challenger, from day to day, with a real registry."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pokewatch.contract import FAIR_PRICE, FAIR_PRICE_CHALLENGER
from pokewatch.deploy.publication import current_plan
from pokewatch.deploy.rollout import deploy, rollback
from pokewatch.errors import DeployError, ExperimentError
from pokewatch.experiments.records import ExperimentRecords, Traffic
from pokewatch.experiments.sequential import Rule
from pokewatch.experiments.update import GATE_FAILED
from pokewatch.pipeline.experiments import serve_challenger, settle_traffic, stop_experiment
from pokewatch.registry import CHAMPION, Registry
from pokewatch.registry_records import RegistryRecords
from pokewatch.serving.canaries import LONGEST_TIME, Canaries
from tests.answering import answering
from tests.deploy.processes import Writes, quiet, start
from tests.deploy.replicas import MARKET, Replica, addresses, no_canary
from tests.deploy.versions import champion_of
from tests.experiments.books import register_pair

pytestmark = pytest.mark.integration
NAME = "experiment-1-1"


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Two days of an experiment: champions 1 and 3, challengers 2 and 4. Champion is version 1."""
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0.1")
    monkeypatch.setenv("POKEWATCH_CANARY_STEPS", "0.5")
    monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "0.2")
    monkeypatch.setenv("POKEWATCH_WATCH_SECONDS", "0.01")
    registry = Registry()
    for last in (44, 45):
        register_pair(registry, tmp_path, last)
    registry.set_alias(CHAMPION, "1")
    ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    return registry


@pytest.fixture
def replicas(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        found = [stack.enter_context(answering(Replica(registry))) for _ in range(2)]
        found[0].others = [found[1]]
        monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", ",".join(addresses(found)))
        yield found


def published(replica: Replica) -> dict[str, Any]:
    found = replica.canaries.status(MARKET)
    assert found is not None
    return found


def traffic(registry: Registry) -> Traffic:
    found = ExperimentRecords(registry).newest()[0].traffic
    assert found is not None
    return found


@pytest.mark.slow
def test_callers_stay_while_deploys_come_and_go(
    registry: Registry, replicas: list[Replica]
) -> None:
    """A deploy's canary and the experiment's are never published at once."""
    experiment, done = serve_challenger(registry, 0.1, 30)
    assert (experiment.name_of_traffic, done) == (NAME, "10% of the callers get version 2")
    first = [published(replica) for replica in replicas]
    assert [(each["experiment"], each["share"], each["ended"]) for each in first] == [
        (NAME, 0.1, None)
    ] * 2

    others: list[set[str]] = []
    replicas[0].on_share = lambda _: others.append(
        {each["experiment"] for each in map(published, replicas) if each["share"]}
    )
    deploy(registry, "3")
    assert [len(each) for each in others] == [1, 1]
    assert [len(replica.plans) for replica in replicas] == [3, 3]
    of_deploy = {replica.plans[1].id for replica in replicas}
    assert len(of_deploy) == 1
    assert of_deploy.pop().startswith("deploy-")
    for replica, before in zip(replicas, first, strict=True):
        now = published(replica)
        same = ("experiment", "share", "since", "ended")
        assert [now[each] for each in same] == [before[each] for each in same]
        assert now["id"] != before["id"]
        assert replica.serving[FAIR_PRICE_CHALLENGER][0] == "4"
        assert replica.serving[FAIR_PRICE][0] == "3"
    assert serve_challenger(registry, 0.1, 30)[1] == "its challenger has the callers already"
    with pytest.raises(ExperimentError, match="has 10% of the callers already, and a share is fix"):
        serve_challenger(registry, 0.2, 30)

    rollback(registry)
    assert {replica.serving[FAIR_PRICE_CHALLENGER][0] for replica in replicas} == {"2"}
    assert published(replicas[0])["experiment"] == NAME


def test_what_a_check_stopped_stays_stopped(registry: Registry, replicas: list[Replica]) -> None:
    serve_challenger(registry, 0.1, 30)
    reason = "errors: 3 of 3 calls failed"
    replicas[1].canaries.end(MARKET, published(replicas[1])["id"], reason)
    assert settle_traffic(registry) == "the champion answers all callers"
    assert (traffic(registry).ended, no_canary(registry)) == (reason, True)
    deploy(registry, "3")
    assert no_canary(registry)
    assert serve_challenger(registry, 0.1, 30)[0].name_of_traffic == "experiment-1-2"


@pytest.mark.slow
def test_a_check_that_fails_just_before_a_deploy_counts(
    registry: Registry, replicas: list[Replica]
) -> None:
    serve_challenger(registry, 0.1, 30)
    replicas[1].canaries.end(MARKET, published(replicas[1])["id"], "signals: all differ")
    deploy(registry, "3")
    assert (champion_of(registry), no_canary(registry)) == ("3", True)
    assert traffic(registry).ended == "signals: all differ"


@pytest.mark.slow
def test_a_deploy_that_is_undone_gives_the_callers_back(
    registry: Registry, replicas: list[Replica]
) -> None:
    serve_challenger(registry, 0.1, 30)

    def stop(_: float) -> None:
        found = published(replicas[0])
        if found["id"].startswith("deploy-"):
            replicas[0].canaries.end(MARKET, found["id"], "errors")

    replicas[0].on_share = stop
    with pytest.raises(DeployError, match="version 3 failed the check of live traffic"):
        deploy(registry, "3")
    assert published(replicas[0])["experiment"] == NAME
    assert replicas[0].serving[FAIR_PRICE_CHALLENGER][0] == "2"


@pytest.mark.slow
def test_without_a_version_to_compare_the_champion_answers(
    registry: Registry, replicas: list[Replica]
) -> None:
    registry.set_tag("2", GATE_FAILED, "mape is 20%")
    text = "the next pipeline run gives its challenger the callers"
    assert serve_challenger(registry, 0.1, 30)[1] == text
    assert no_canary(registry)
    deploy(registry, "3")
    assert replicas[0].serving[FAIR_PRICE_CHALLENGER][0] == "4"


@pytest.mark.slow
def test_a_challenger_that_is_deleted_from_the_registry_loses_its_callers(
    registry: Registry, replicas: list[Replica]
) -> None:
    """Until the next run, the MLServers answer from the book that they have loaded."""
    serve_challenger(registry, 0.1, 30)
    with registry.client("the version cannot be deleted") as client:
        client.delete_model_version(registry.name, "2")
    assert [published(replica)["share"] for replica in replicas] == [0.1, 0.1]
    assert settle_traffic(registry) == "the champion answers all callers"
    assert [published(replica)["share"] for replica in replicas] == [0, 0]
    deploy(registry, "3")
    assert replicas[0].serving[FAIR_PRICE_CHALLENGER][0] == "4"


def test_wrong_answers_of_a_server_are_found_before_any_caller(
    registry: Registry, replicas: list[Replica]
) -> None:
    replicas[1].broken = True
    with pytest.raises(DeployError, match="golden answers"):
        serve_challenger(registry, 0.1, 30)
    assert [replica.plans for replica in replicas] == [[], []]
    assert no_canary(registry)
    assert traffic(registry).ended.startswith("it could not be served: version 2 failed")


@pytest.mark.parametrize("traffic_only", [True, False])
def test_a_stop_takes_the_callers_away(
    registry: Registry, replicas: list[Replica], traffic_only: bool
) -> None:
    with pytest.raises(ExperimentError, match="the challenger of experiment 1 has no callers"):
        stop_experiment(registry, "enough", traffic_only=True)
    serve_challenger(registry, 0.1, 30)
    stopped = stop_experiment(registry, "enough", traffic_only=traffic_only)
    assert stopped.state == ("running" if traffic_only else "stopped")
    assert (traffic(registry).ended, no_canary(registry)) == ("enough", True)
    assert [published(replica)["share"] for replica in replicas] == [0, 0]
    assert settle_traffic(registry) == ""


def test_callers_are_given_again_once_their_days_are_over(
    registry: Registry, replicas: list[Replica]
) -> None:
    """Also by the first call, before a deploy or the monitor has recorded their end."""
    serve_challenger(registry, 0.1, 30)
    over = replace(traffic(registry), until=time.time() - 1)
    RegistryRecords(registry, "experiment").set_tag(1, "traffic", json.dumps(asdict(over)))
    experiment, done = serve_challenger(registry, 0.2, 30)
    assert (experiment.name_of_traffic, done) == (
        "experiment-1-2",
        "20% of the callers get version 2",
    )
    assert [published(replica)["experiment"] for replica in replicas] == ["experiment-1-2"] * 2


def test_an_experiment_that_ends_takes_its_callers_away(
    registry: Registry, replicas: list[Replica]
) -> None:
    """Its longest time and its verdict do, at the next run of the monitor."""
    serve_challenger(registry, 0.1, 1e-9)
    assert traffic(registry).ended == LONGEST_TIME
    serve_challenger(registry, 0.1, 1)
    ExperimentRecords(registry).end(1, "aborted", "boosted is worse than local_level")
    assert settle_traffic(registry) == "the champion answers all callers"
    assert [published(replica)["share"] for replica in replicas] == [0, 0]
    assert no_canary(registry)


def test_a_server_that_restarts_goes_on(registry: Registry, replicas: list[Replica]) -> None:
    serve_challenger(registry, 0.1, 30)
    before = published(replicas[0])
    replicas[0].canaries = Canaries()
    replicas[0].load(FAIR_PRICE_CHALLENGER)
    assert published(replicas[0]) == before
    assert settle_traffic(registry) == ""


def _serving(environment: dict[str, str], writes: Writes) -> None:
    quiet(environment)
    writes.install()
    serve_challenger(Registry(), 0.1, 30)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(2, 16, 2))
def test_a_start_that_is_killed_is_done_by_the_next_run(
    registry: Registry, replicas: list[Replica], at: int
) -> None:
    process = start(_serving, Writes(at, "after", signal.SIGKILL))
    process.join()
    settle_traffic(registry)
    recorded = ExperimentRecords(registry).newest()[0].traffic
    plan = current_plan(registry)
    assert (plan is not None) == (recorded is not None)
    if plan is not None:
        assert [published(each)["experiment"] for each in replicas] == [NAME, NAME]
    deploy(registry, "3")
    assert champion_of(registry) == "3"
