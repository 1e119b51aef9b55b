"""Rollbacks to HTTP servers in place of MLServer, with a real registry."""

import shutil

import pytest

from pokewatch.deploy.records import DeployRecords
from pokewatch.deploy.reload import ReplicaOutcome
from pokewatch.deploy.rollout import deploy, rollback
from pokewatch.errors import DeployError, NoChampionError
from pokewatch.registry import Registry
from pokewatch.settings import RegistrySettings
from pokewatch.valuation.book.copies import copy_of, remove
from tests.answering import answering
from tests.deploy.upstream import Upstream
from tests.deploy.versions import champion_of
from tests.monitoring.listener import Listener
from tests.serving.server import free_ports


def test_a_rollback_serves_the_previous_champion_everywhere(registry: Registry) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as first, answering(Upstream(champion)) as second:
        addresses = [first.address, second.address]
        deploy(registry, "2", addresses)
        assert rollback(registry, addresses) == (
            "1",
            [ReplicaOutcome(address, "serving") for address in addresses],
        )
        assert (first.serving, second.serving, champion_of(registry)) == ("1", "1", "1")


@pytest.mark.parametrize("target", [None, "1"], ids=["the previous", "a version"])
def test_people_are_notified_once_of_each_rollback_that_fails(
    target: str | None, registry: Registry, listener: Listener
) -> None:
    with answering(Upstream(lambda: champion_of(registry))) as server:
        deploy(registry, "2", [server.address])
        server.refuses = "1"
        for _ in range(2):
            with pytest.raises(DeployError, match="refused version 1"):
                rollback(registry, [server.address], target=target)
        assert server.serving == "2"
    _, *failures = listener.heard
    assert [each["title"] for each in failures] == [
        f"PokeWatch: the rollback{' to model version 1' if target else ''} failed"
    ] * 2
    for each in failures:
        assert "refused version 1: fair.arrow is damaged; version 2 is champion" in each["message"]


def test_where_no_server_runs_a_rollback_opens_the_book(registry: Registry) -> None:
    deploy(registry, "2", [])
    former = registry.version("1")
    remove(copy_of(registry.books, former.digest))
    with registry.client("the address of the book cannot be read") as client:
        book = client.get_run(former.run_id).info.artifact_uri
    shutil.rmtree(book.removeprefix("file://"))
    with pytest.raises(DeployError, match=r"version 1 cannot be served: .*version 2 is champion"):
        rollback(registry, [])
    assert champion_of(registry) == "2"
    assert DeployRecords(registry).unfinished() == []


def test_people_are_notified_of_a_rollback_that_cannot_store_the_book(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    (port,) = free_ports(1)
    deploy(registry, "2", [f"http://127.0.0.1:{port}"])
    uri = RegistrySettings.read().tracking_uri()
    listener.heard.clear()
    monkeypatch.setenv("POKEWATCH_HOME", "/proc/no-home")  # where nothing can be written
    monkeypatch.setenv("POKEWATCH_MLFLOW_TRACKING_URI", uri)
    with pytest.raises(DeployError, match=r"version 1 cannot be served: .*no-home"):
        rollback(Registry(), [f"http://127.0.0.1:{port}"])
    assert champion_of(registry) == "2"
    assert listener.titles() == ["PokeWatch: the rollback failed"]


def test_people_are_notified_that_there_is_nothing_to_roll_back_to(
    registry: Registry, listener: Listener
) -> None:
    with pytest.raises(NoChampionError):
        rollback(registry, [])
    (sent,) = listener.heard
    assert sent["title"] == "PokeWatch: the rollback failed"


def test_there_is_nothing_to_roll_back_to(registry: Registry) -> None:
    with pytest.raises(NoChampionError, match=r"^there is no previous champion$"):
        rollback(registry, [])
