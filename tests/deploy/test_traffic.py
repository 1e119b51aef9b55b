"""Deploys in steps, to HTTP servers in place of MLServer, with a real registry."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokewatch.contract import FAIR_PRICE
from pokewatch.deploy.publication import end_canary
from pokewatch.deploy.records import DeployRecords
from pokewatch.deploy.rollout import deploy
from pokewatch.deploy.traffic import uses_traffic
from pokewatch.errors import DeployError
from pokewatch.registry import CANARY, CHAMPION, REFUSED, Registry
from pokewatch.serving.canaries import Canaries, CanaryPlan
from tests.answering import answering
from tests.deploy.processes import Writes, start_deploy
from tests.deploy.replicas import MARKET, Replica, addresses, no_canary
from tests.deploy.versions import champion_of, register_book
from tests.polling import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Versions 1 and 2, the first of them champion."""
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0.1")
    monkeypatch.setenv("POKEWATCH_CANARY_STEPS", "0.1,1")
    monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "0.5")
    registry = Registry()
    for number in (1, 2):
        register_book(registry, tmp_path / f"book-{number}", git_commit=str(number))
    registry.set_alias(CHAMPION, "1")
    return registry


@pytest.fixture
def replicas(registry: Registry) -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        found = [stack.enter_context(answering(Replica(registry))) for _ in range(2)]
        found[0].others = [found[1]]
        yield found


def test_all_replicas_publish_each_step(registry: Registry, replicas: list[Replica]) -> None:
    champions: list[str] = []
    replicas[1].on_share = lambda _: champions.append(champion_of(registry))
    deploy(registry, "2", addresses(replicas))
    assert [replica.shares for replica in replicas] == [[0.1, 1.0]] * 2
    assert champions == ["1", "1"], "the champion moves after the last step"
    assert champion_of(registry) == "2"
    assert [replica.serving[FAIR_PRICE][0] for replica in replicas] == ["2", "2"]
    for replica in replicas:
        status = replica.canaries.status(MARKET)
        assert status is not None
        assert status["ended"] == "version 2 is champion"
    assert no_canary(registry)


def test_a_gateway_that_stops_refuses_the_version(
    registry: Registry, replicas: list[Replica]
) -> None:
    def report(_: float) -> None:
        status = replicas[0].canaries.status(MARKET)
        assert status is not None
        replicas[0].canaries.end(MARKET, status["id"], "errors: 3 of 3 calls failed")

    replicas[0].on_share = report
    reason = (
        f"version 2 failed the check of live traffic at {replicas[0].address}: errors: 3 of 3 calls"
        " failed; version 1 is champion again"
    )
    with pytest.raises(DeployError) as refused:
        deploy(registry, "2", addresses(replicas))
    assert str(refused.value) == reason
    assert [replica.shares for replica in replicas] == [[0.1], [0.1]]
    assert [replica.canaries.status(MARKET)["share"] for replica in replicas] == [0, 0]  # type: ignore[index]
    assert (champion_of(registry), no_canary(registry)) == ("1", True)
    assert REFUSED in registry.version("2").tags


def test_wrong_answers_of_a_replica_refuse_the_version(
    registry: Registry, replicas: list[Replica]
) -> None:
    replicas[1].broken = True
    with pytest.raises(DeployError, match=rf"golden answers at {replicas[1].address}: .* differ"):
        deploy(registry, "2", addresses(replicas))
    assert [replica.canaries.status(MARKET)["share"] for replica in replicas] == [0, 0]  # type: ignore[index]
    assert (champion_of(registry), no_canary(registry)) == ("1", True)


def test_a_replica_that_has_restarted_is_given_the_version(
    registry: Registry, replicas: list[Replica]
) -> None:
    def restart(share: float) -> None:
        if share == 1 and not restarted:
            restarted.append(share)
            threading.Timer(0.1, setattr, (replicas[0], "canaries", Canaries())).start()

    restarted: list[float] = []
    replicas[0].on_share = restart
    deploy(registry, "2", addresses(replicas))
    assert replicas[0].shares == [0.1, 1.0, 1.0]
    assert champion_of(registry) == "2"


def test_one_replica_is_moved_at_once(registry: Registry, replicas: list[Replica]) -> None:
    deploy(registry, "2", addresses(replicas)[:1])
    assert replicas[0].shares == []
    assert champion_of(registry) == "2"


def test_a_version_that_replaces_another_market_is_moved_at_once(
    registry: Registry, replicas: list[Replica]
) -> None:
    deploy(registry, "2", addresses(replicas), replace=True)
    assert replicas[0].shares == []


@pytest.mark.parametrize(
    ("name", "value"), [("CANARY_REPLICAS", "0"), ("DEPLOY_WATCH_SECONDS", "0")]
)
def test_steps_can_be_switched_off(
    name: str, value: str, replicas: list[Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    with httpx.Client() as client:
        assert uses_traffic(client, lambda: addresses(replicas), "")
        monkeypatch.setenv(f"POKEWATCH_{name}", value)
        assert not uses_traffic(client, lambda: addresses(replicas), "")


def test_the_next_deploy_ends_the_canary_of_one_that_was_killed(
    registry: Registry, replicas: list[Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "30")
    process, _ = start_deploy("2", addresses(replicas), Writes(0, "never"))
    eventually(lambda: replicas[1].shares, bool, every=0.02)
    process.kill()
    process.join()
    killed = replicas[0].canaries.status(MARKET)
    monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "0.5")
    ended: list[Any] = []
    replicas[0].on_share = lambda _: ended.append(replicas[0].canaries.status(MARKET))
    deploy(registry, "2", addresses(replicas))
    assert killed is not None
    assert ended[0]["id"] != killed["id"]
    assert (champion_of(registry), no_canary(registry)) == ("2", True)
    assert DeployRecords(registry).unfinished() == []


def test_a_deploy_that_was_taken_over_leaves_the_canary_of_the_other_alone(
    registry: Registry, replicas: list[Replica], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is suspended in its canary, and goes on in that of the deploy that took over."""
    register_book(registry, tmp_path / "book-3", git_commit="3")
    monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "30")
    process, counted = start_deploy("2", addresses(replicas), Writes(0, "never"))
    pid = process.pid or 0
    try:
        eventually(lambda: replicas[1].shares, bool, every=0.02)
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setenv("POKEWATCH_DEPLOY_LEASE_SECONDS", "2")
        monkeypatch.setenv("POKEWATCH_CANARY_STEPS", "0.1")
        monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "5")
        replicas[1].on_share = lambda _: os.kill(pid, signal.SIGCONT)
        deploy(registry, "3", addresses(replicas))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        process.join()
    assert "and deploy 2 took over" in counted.get()[1]
    assert champion_of(registry) == "3"
    assert not any(REFUSED in registry.version(version).tags for version in "23")


@pytest.mark.parametrize("state", ["", "not JSON", '{"id": "x", "share": 7}'])
def test_ending_a_canary_may_be_repeated(registry: Registry, state: str) -> None:
    """Servers that cannot be looked up are left out: their plans expire."""

    def replicas() -> list[str]:
        raise DeployError("dns+http://replicas:8080: replicas cannot be looked up")

    registry.set_alias(CANARY, "2")
    registry.set_state(CANARY, state or CanaryPlan("x", 0.1).to_state())
    with httpx.Client() as client:
        for _ in range(2):
            end_canary(registry, client, replicas, "undone")
    assert no_canary(registry)
