"""Deploys at the same time: real processes on one registry."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from pokewatch.deploy.records import DeployRecord, DeployRecords
from pokewatch.deploy.rollout import deploy, rollback, rollback_target
from pokewatch.errors import DeployBusyError
from pokewatch.registry import CHAMPION, REFUSED, Registry
from tests.deploy.processes import Writes, start_deploy
from tests.deploy.served import Served, registry, server, state
from tests.deploy.versions import champion_of
from tests.polling import eventually

pytestmark = pytest.mark.integration

__all__ = ["registry", "server"]

AT_THE_MOVE = 3  # the write of a deploy before it moves the champion: take, BEFORE, this beat


def ended(registry: Registry) -> list[DeployRecord]:
    """The deploys, all of which have ended, in their order."""
    records = DeployRecords(registry)
    assert records.unfinished() == []
    return records.newest()[::-1]


def check_pair(registry: Registry, server: Served, refuses: str) -> None:
    """Deploy versions 2 and 3 at once: one after the other, each with the outcome it reports."""
    registry.set_alias(CHAMPION, "1")
    server.serving, server.refuses = "1", refuses
    server.awaits = len(DeployRecords(registry).newest()) + 2
    started = [start_deploy(version, [server.address]) for version in ("2", "3")]
    reported = {}
    for version, (process, counted) in zip(("2", "3"), started, strict=True):
        process.join()
        assert process.exitcode == 0
        reported[version] = counted.get()[1]
    champion = "1"
    for record in ended(registry)[-2:]:
        assert record.before is not None
        assert record.before.champion == champion, "they have not overlapped"
        champion = champion if reported[record.target] else record.target
        assert record.champion == champion
    assert champion_of(registry) == server.answers() == champion
    assert {version for version, error in reported.items() if error} == {refuses} - {""}


def unrefuse(registry: Registry) -> None:
    with registry.client("cannot reset") as client:
        client.delete_model_version_tag(registry.name, "3", REFUSED)


def test_of_two_deploys_at_once_the_second_waits(registry: Registry, server: Served) -> None:
    check_pair(registry, server, "")


def test_of_two_deploys_at_once_the_refused_one_leaves_the_other(
    registry: Registry, server: Served
) -> None:
    check_pair(registry, server, "3")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_pairs(registry: Registry, server: Served) -> None:
    for pair in range(20):
        check_pair(registry, server, "3" if pair % 2 else "")
        if pair % 2:
            unrefuse(registry)


def test_a_deploy_that_waits_too_long_is_refused(
    registry: Registry, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, _ = start_deploy("2", [server.address], Writes(AT_THE_MOVE, "before", signal.SIGSTOP))
    try:
        eventually(lambda: _stopped(process.pid), bool)
        monkeypatch.setenv("POKEWATCH_DEPLOY_WAIT_SECONDS", "0.1")
        first = rf"deploy 1 of version 2, process {process.pid} on \S+, has not ended within 0.1 s"
        with pytest.raises(
            DeployBusyError, match=f"^version 3 was not deployed: {first}; try again when it has$"
        ):
            deploy(registry, "3", [server.address])
    finally:
        os.kill(process.pid or 0, signal.SIGCONT)
        process.join()
    assert process.exitcode == 0
    assert state(registry, server) == ("2", "1", "2")
    assert [record.outcome.split(":")[0] for record in ended(registry)] == [
        "version 2 is champion",
        "refused",
    ]


@pytest.mark.slow
def test_a_suspended_deploy_is_taken_over_and_moves_nothing_afterwards(
    registry: Registry, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_DEPLOY_LEASE_SECONDS", "2")
    writes = Writes(AT_THE_MOVE, "before", signal.SIGSTOP)
    process, counted = start_deploy("2", [server.address], writes)
    try:
        eventually(lambda: _stopped(process.pid), bool)
        deploy(registry, "3", [server.address])
    finally:
        os.kill(process.pid or 0, signal.SIGCONT)
        process.join()
    assert (
        "this process was suspended for longer than 2 s, and deploy 2 took over" in counted.get()[1]
    )
    assert state(registry, server) == ("3", "1", "3")
    assert [record.taken_by for record in ended(registry)] == ["2", ""]


@pytest.mark.parametrize(
    ("how", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 1)],
    ids=["term", "hup", "int"],
)
def test_a_deploy_that_is_terminated_undoes_first(
    how: int, code: int, registry: Registry, server: Served
) -> None:
    process, _ = start_deploy("2", [server.address], Writes(AT_THE_MOVE + 2, "after", how))
    process.join()
    assert process.exitcode == code
    assert state(registry, server) == ("1", "3", "1")
    assert server.requested[-2:] == ["2", "1"]
    assert [record.outcome for record in ended(registry)] == ["version 1 is champion again"]
    deploy(registry, "2", [server.address])
    assert state(registry, server) == ("2", "1", "2")


class InterruptedTwice(Writes):
    """Sends SIGTERM too, during the undo that the first signal led to."""

    def install(self) -> None:
        super().install()
        Writes(self.at + 2, "before", signal.SIGTERM).install()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_an_undo_is_not_interrupted_by_sigterm(
    how: int, registry: Registry, server: Served
) -> None:
    twice = InterruptedTwice(AT_THE_MOVE + 2, "after", how)
    process, _ = start_deploy("2", [server.address], twice)
    process.join()
    assert state(registry, server) == ("1", "3", "1")
    assert [record.outcome for record in ended(registry)] == ["version 1 is champion again"]


def test_a_rollback_undoes_a_deploy_that_was_killed(registry: Registry, server: Served) -> None:
    process, _ = start_deploy("2", [server.address], Writes(AT_THE_MOVE + 2, "after"))
    process.join()
    assert state(registry, server) == ("2", "3", "2")
    assert rollback_target(registry) == "1"
    assert rollback(registry, [server.address])[0] == "1"
    assert state(registry, server) == ("1", "3", "1")
    assert [record.outcome for record in ended(registry)] == [
        "version 1 is champion again",
        "version 1 is champion, as before",
    ]
    assert rollback(registry, [server.address])[0] == "3", "the deploy is undone already"
    assert state(registry, server) == ("3", "1", "3")


def test_a_deploy_that_ends_while_another_looks_at_it_is_not_undone(
    registry: Registry, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, _ = start_deploy("2", [server.address])
    process.join()
    (done,) = ended(registry)
    unfinished = DeployRecords.unfinished
    reads = iter([[replace(done, decision="", outcome="")]])
    monkeypatch.setattr(DeployRecords, "unfinished", lambda self: next(reads, unfinished(self)))
    deploy(registry, "3", [server.address])
    assert state(registry, server) == ("3", "2", "3")


def test_only_the_next_deploy_settles_a_killed_one(
    registry: Registry, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, _ = start_deploy("2", [server.address], Writes(AT_THE_MOVE + 2, "after"))
    process.join()
    waiting = DeployRecords(registry).create("deploy", "3")
    monkeypatch.setenv("POKEWATCH_DEPLOY_WAIT_SECONDS", "0.1")
    with pytest.raises(DeployBusyError):
        deploy(registry, "3", [server.address])
    assert state(registry, server) == ("2", "3", "2")
    assert [record.number for record in DeployRecords(registry).unfinished()] == [
        1,
        waiting.number,
    ]


def _stopped(pid: int | None) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
