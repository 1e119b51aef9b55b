"""Deploys that are killed before or after any write; then a retry, and a look at the server."""

import json
from dataclasses import asdict, replace

import pytest

from pokewatch.cli.findings import Finding
from pokewatch.cli.health_checks import run_checks
from pokewatch.deploy.records import BEFORE, DECISION, DEPLOYED, DeployRecords, Owner
from pokewatch.deploy.rollout import deploy
from pokewatch.errors import DeployError
from pokewatch.registry import CHAMPION, PREVIOUS, REFUSED, Registry
from tests.deploy.processes import Writes, start_deploy
from tests.deploy.served import Served, registry, reset, server, state
from tests.deploy.versions import champion_of

pytestmark = pytest.mark.integration

__all__ = ["registry", "server"]


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
