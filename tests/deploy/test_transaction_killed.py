"""Deploys that are killed before or after any write; then a retry, and a look at the server."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import httpx
import pytest

from pokewatch.cli.findings import Finding
from pokewatch.cli.health_checks import run_checks
from pokewatch.deploy.records import BEFORE, DECISION, DEPLOYED, DeployRecords, Owner
from pokewatch.deploy.rollout import deploy
from pokewatch.errors import DeployError
from pokewatch.registry import CHAMPION, PREVIOUS, REFUSED, Registry
from tests.answering import answering
from tests.deploy.processes import Writes, start_deploy
from tests.deploy.upstream import Upstream
from tests.deploy.versions import champion_of, register_book
from tests.polling import eventually

pytestmark = pytest.mark.integration


class Served(Upstream):
    """A server that records which versions it was asked to load."""

    def __init__(self, registry: Registry) -> None:
        self.requested: list[str] = []
        self.awaits = 0  # deploys that there must be before a load is answered
        super().__init__(lambda: self._champion(registry))

    def _champion(self, registry: Registry) -> str:
        eventually(
            lambda: len(DeployRecords(registry).newest()), lambda count: count >= self.awaits
        )
        self.requested.append(champion_of(registry))
        return self.requested[-1]

    def answers(self) -> str:
        """The version that a caller gets."""
        answer = httpx.post(f"{self.address}/v2/models/fair-price/infer", json={"inputs": []})
        return str(answer.json()["parameters"]["model_version"])


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Versions 1 to 3; 3 was champion before 1, which is."""
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
    registry = Registry()
    for number in (1, 2, 3):
        register_book(registry, tmp_path / str(number), git_commit=str(number))
    reset(registry)
    return registry


@pytest.fixture
def server(registry: Registry) -> Iterator[Served]:
    with answering(Served(registry)) as server:
        yield server


def reset(registry: Registry) -> None:
    registry.set_alias(CHAMPION, "1")
    registry.set_alias(PREVIOUS, "3")
    with registry.client("cannot reset") as client:
        if REFUSED in registry.version("2").tags:
            client.delete_model_version_tag(registry.name, "2", REFUSED)


def state(registry: Registry, server: Served) -> tuple[str, str, str]:
    """The champion, the one before, and what a caller is answered by."""
    return champion_of(registry), registry.resolve(PREVIOUS).version, server.answers()


def doctors() -> Finding:
    (finding,) = [each for each in run_checks() if each.name == "deploy"]
    return finding


def killed(server: Served, at: int, when: str) -> None:
    process, _ = start_deploy("2", [server.address], Writes(at, when))
    process.join()
    assert process.exitcode == -9


def writes_of(server: Served) -> int:
    process, counted = start_deploy("2", [server.address])
    process.join()
    return int(counted.get()[0])


def check_doctor(registry: Registry) -> None:
    """The doctor names the champion, and whether it is the old or the new version."""
    champion = champion_of(registry)
    unfinished = DeployRecords(registry).unfinished()
    if unfinished and unfinished[0].before:
        which = "the new" if champion == "2" else "the old"
        found = doctors()
        assert found.state == "warning"
        assert f"was killed: {which} version, {champion}, is champion" in found.detail


def sweep(count: int, step: int) -> list[tuple[int, str]]:
    points = [(at, when) for at in range(1, count + 1) for when in ("before", "after")]
    return points[::step]


def check_good(registry: Registry, server: Served, step: int) -> int:
    count = writes_of(server)
    for at, when in sweep(count, step):
        reset(registry)
        server.serving = "1"
        killed(server, at, when)
        assert champion_of(registry) in ("1", "2"), (at, when)
        check_doctor(registry)
        deploy(registry, "2", [server.address])
        assert state(registry, server) == ("2", "1", "2"), (at, when)
        assert DeployRecords(registry).unfinished() == []
        assert doctors().state == "ok"
    return count


def check_refused(registry: Registry, server: Served, step: int) -> int:
    server.refuses = "2"
    count = writes_of(server)
    for at, when in sweep(count, step):
        reset(registry)
        killed(server, at, when)
        assert server.answers() == "1"
        decided = any(record.decision for record in DeployRecords(registry).unfinished())
        decided |= REFUSED in registry.version("2").tags
        before = len(server.requested)
        with pytest.raises(DeployError):
            deploy(registry, "2", [server.address])
        assert state(registry, server) == ("1", "3", "1"), (at, when)
        assert DeployRecords(registry).unfinished() == []
        assert not (decided and "2" in server.requested[before:]), (
            "a refused version goes live once"
        )
    return count


@pytest.mark.parametrize("step", [30, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_at_some_writes_a_retry_deploys_it(
    registry: Registry, server: Served, step: int
) -> None:
    assert check_good(registry, server, step) >= 10


@pytest.mark.parametrize(
    ("decision", "deleted", "champion", "outcome"),
    [
        ("", "2", "1", "version 1 is champion again"),
        ("", "1", "", "no model is champion, version 1 has been deleted"),
        ("too slow", "2", "1", "version 1 is champion again"),
        (DEPLOYED, "2", "", "version 2 was deployed, and has been deleted since"),
        (DEPLOYED, "1", "2", "version 2 is champion"),
    ],
    ids=["undecided", "its former", "refused", "deployed", "former of a deployed"],
)
def test_a_killed_deploy_of_a_version_that_was_deleted_blocks_no_other(
    registry: Registry, decision: str, deleted: str, champion: str, outcome: str
) -> None:
    records = DeployRecords(registry)
    number = records.create("deploy", "2").number
    gone = asdict(replace(Owner.current(), started="0"))
    before = {"champion": "1", "previous": "3"}
    for tag, content in (("owner", gone), (BEFORE, before)):
        records.set_tag(number, tag, json.dumps(content))
    if decision:
        records.set_tag(number, DECISION, decision)
    registry.set_alias(CHAMPION, "2")
    with registry.client("cannot delete") as client:
        client.delete_model_version(registry.name, deleted)
    deploy(registry, "3", [])
    record = records.read(number)
    assert (record.outcome, record.champion) == (outcome, champion)
    assert champion_of(registry) == "3"
    if champion:
        assert registry.resolve(PREVIOUS).version == champion


@pytest.mark.slow
def test_killed_at_some_writes_a_refused_version_stays_refused(
    registry: Registry, server: Served
) -> None:
    assert check_refused(registry, server, 7) >= 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_any_write_a_retry_deploys_it(registry: Registry, server: Served) -> None:
    check_good(registry, server, 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_any_write_a_refused_version_stays_refused(
    registry: Registry, server: Served
) -> None:
    check_refused(registry, server, 1)
