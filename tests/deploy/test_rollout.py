"""Deploys to HTTP servers in place of MLServer, with a real registry."""

from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import pytest

from pokewatch.cli.findings import Finding
from pokewatch.cli.model_checks import market_findings
from pokewatch.deploy import transaction
from pokewatch.deploy.reload import ReplicaOutcome
from pokewatch.deploy.rollout import _served_by, deploy, rollback
from pokewatch.errors import DeployError, DeployOutageError, NoChampionError
from pokewatch.registry import CHALLENGER, CHAMPION, DEPLOYED_AT, PREVIOUS, Registry
from pokewatch.settings import Home
from pokewatch.valuation.book.copies import copy_of, remove
from tests.answering import answering
from tests.deploy.upstream import Upstream
from tests.deploy.versions import champion_of
from tests.monitoring.listener import Listener
from tests.serving.server import free_ports

pytestmark = pytest.mark.integration


def test_every_address_follows(registry: Registry) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as first, answering(Upstream(champion)) as second:
        assert deploy(registry, "2", [first.address, second.address]) == [
            ReplicaOutcome(first.address, "serving"),
            ReplicaOutcome(second.address, "serving"),
        ]
        assert (first.serving, second.serving) == ("2", "2")
    assert (champion_of(registry), registry.resolve(PREVIOUS).version) == ("2", "1")
    assert DEPLOYED_AT in registry.version("2").tags


def test_nothing_running_is_no_failure(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", str(port))
    assert deploy(registry, "2") == [ReplicaOutcome(f"http://127.0.0.1:{port}", "not running")]
    assert champion_of(registry) == "2"


@pytest.mark.parametrize("version", ["2", "7"], ids=["of the same number", "of another number"])
def test_an_mlserver_of_another_registry_at_the_default_address_is_left_as_it_is(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """It is that of another POKEWATCH_HOME, and answers with the models of that one."""
    with answering(Upstream(lambda: version, run_id="0" * 32)) as other:
        monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", str(other.server_port))
        assert list(market_findings("")) == _without_servers(registry)
        outcome = ReplicaOutcome(other.address, "another installation")
        assert deploy(registry, "2") == [outcome]
        assert champion_of(registry) == "2"
        assert rollback(registry) == ("1", [outcome])


def _without_servers(registry: Registry) -> list[Finding]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", str(free_ports(1)[0]))
        return list(market_findings(registry.market))


def test_the_mlserver_of_the_registry_at_the_default_address_must_follow(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = registry.version("1").run_id
    with answering(Upstream(lambda: champion_of(registry), stuck=True, run_id=run_id)) as own:
        monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", str(own.server_port))
        with pytest.raises(DeployError, match="answers with version 1, not 2"):
            deploy(registry, "2")


class _OtherProgram(BaseHTTPRequestHandler):
    """Answers every request as web frameworks do that do not know its path."""

    def do_GET(self) -> None:
        body = b'{"status": 404, "error": "Not Found"}'
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def test_another_program_at_the_default_address_does_not_undo_the_deploy(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _OtherProgram)) as other:
        monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", str(other.server_port))
        assert list(market_findings("")) == _without_servers(registry)
        address = f"http://127.0.0.1:{other.server_port}"
        assert deploy(registry, "2") == [ReplicaOutcome(address, "another installation")]
        monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", address)
        with pytest.raises(DeployError, match="refused version 1: Not Found"):
            deploy(registry, "1")


def _names(monkeypatch: pytest.MonkeyPatch, found: Callable[[], list[Upstream]]) -> str:
    """Return an address that stands for those found at each look-up, all on this machine."""

    def answer(addresses: Sequence[str]) -> list[str]:
        return [server.address for server in found()] or list(addresses)

    monkeypatch.setattr(transaction, "replica_addresses", answer)
    return "dns+http://replicas:8080"


def test_no_replica_is_no_failure(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    address = _names(monkeypatch, list)
    assert deploy(registry, "2", [address]) == [ReplicaOutcome(address, "not running")]
    assert champion_of(registry) == "2"
    (sent,) = listener.heard
    assert "no MLServer runs; the next one that starts serves it" in sent["message"]


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (["serving", "not running"], "1 of 2 MLServers run and serve it"),
        (["other markets", "serving"], "1 of 1 MLServers run and serve it"),
        (["other markets"], "no MLServer serves it: those that run serve other markets"),
        (["not running"], "no MLServer runs; the next one that starts serves it"),
        (["another installation"], "no MLServer runs; the next one that starts serves it"),
        (
            ["other markets", "not running"],
            "no MLServer of its market runs; the next one that starts serves it",
        ),
    ],
)
def test_people_are_told_how_many_servers_of_its_market_serve_a_version(
    states: Sequence[Literal["serving", "not running", "other markets", "another installation"]],
    text: str,
) -> None:
    assert _served_by([ReplicaOutcome("http://127.0.0.1:1", state) for state in states]) == text


def test_a_replica_that_started_before_the_champion_moved_follows(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not known at the first look-up, and has loaded the former champion."""

    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as first, answering(Upstream(champion)) as second:
        lookups = iter([[first], [first, second]])
        address = _names(monkeypatch, lambda: next(lookups))
        assert deploy(registry, "2", [address]) == [
            ReplicaOutcome(first.address, "serving"),
            ReplicaOutcome(second.address, "serving"),
        ]
        assert (first.serving, second.serving) == ("2", "2")


def test_a_replica_that_is_stopped_meanwhile_does_not_undo_the_deploy(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as kept, answering(Upstream(champion, stuck=True)) as gone:
        lookups = iter([[kept, gone], [kept], [kept]])
        address = _names(monkeypatch, lambda: next(lookups))
        assert deploy(registry, "2", [address]) == [
            ReplicaOutcome(kept.address, "serving"),
            ReplicaOutcome(gone.address, "not running"),
        ]
    assert champion_of(registry) == "2"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"refuses": "2"}, "refused version 2: fair.arrow is damaged"),
        ({"stuck": True}, "answers with version 1, not 2"),
    ],
    ids=["refused", "not followed"],
)
def test_the_former_champion_is_restored_everywhere(
    registry: Registry, fault: dict[str, object], reason: str
) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as good, answering(Upstream(champion, **fault)) as bad:  # type: ignore[arg-type]
        with pytest.raises(
            DeployError, match=f"{bad.address} {reason}; version 1 is champion again$"
        ):
            deploy(registry, "2", [good.address, bad.address])
        assert (good.serving, bad.serving) == ("1", "1")
    assert champion_of(registry) == "1"


def test_without_a_former_champion_there_is_none_again(registry: Registry) -> None:
    def champion() -> str:
        found = registry.find(CHAMPION)
        return found.version if found else ""

    registry.delete_alias(CHAMPION)
    with (
        answering(Upstream(champion)) as good,
        answering(Upstream(champion, refuses="1")) as bad,
    ):
        with pytest.raises(DeployError, match=r"no model is champion, as before$"):
            deploy(registry, "1", [bad.address, good.address])
        bad.refuses = "2"
        left = f"{good.address} serves version 2 until it restarts or a deploy succeeds"
        with pytest.raises(DeployError, match=f"no model is champion, as before, but {left}$"):
            deploy(registry, "2", [good.address, bad.address])
    assert registry.find(CHAMPION) is None


@pytest.mark.parametrize("first", [False, True], ids=["later", "first"])
def test_the_doctor_says_why_the_last_deploy_was_undone(registry: Registry, first: bool) -> None:
    registry.set_alias(CHALLENGER, "2")
    if first:
        registry.delete_alias(CHAMPION)
    with answering(Upstream(lambda: "2", refuses="2")) as bad:
        bad.serving = ""
        with pytest.raises(DeployError, match="refused version 2") as refused:
            deploy(registry, "2", [bad.address])
    (found,) = (each for each in market_findings("") if each.name == "deploy")
    assert found == Finding("deploy", "ok", f"none is running; the last one: {refused.value}")


def test_an_address_that_cannot_be_reached_at_all(registry: Registry) -> None:
    with pytest.raises(DeployError, match=r"did not answer: .*; version 1 is champion again, but "):
        deploy(registry, "2", ["http://no-such-host.invalid:1"])
    assert champion_of(registry) == "1"


def test_a_version_that_was_undone_is_not_deployed_again(registry: Registry) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion, stuck=True)) as bad:
        with pytest.raises(DeployError, match="answers with version 1, not 2"):
            deploy(registry, "2", [bad.address])
        bad.stuck = False
        with pytest.raises(
            DeployError,
            match=r"version 2 was undone by an earlier deploy and stays refused: .*not 2",
        ):
            deploy(registry, "2", [bad.address])
        assert (bad.serving, champion_of(registry)) == ("1", "1")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"outage": "2"}, "cannot load version 2: the registry does not answer"),
        ({"hangs_up": "2"}, "did not answer: RemoteProtocolError "),
    ],
    ids=["registry", "server"],
)
def test_a_version_that_was_undone_by_an_outage_can_be_deployed_later(
    registry: Registry, fault: dict[str, str], reason: str
) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion, **fault)) as server:  # type: ignore[arg-type]
        with pytest.raises(DeployOutageError, match=f"{reason}.*; version 1 is champion again$"):
            deploy(registry, "2", [server.address])
        server.outage = server.hangs_up = ""
        deploy(registry, "2", [server.address])
        assert (server.serving, champion_of(registry)) == ("2", "2")


def test_a_version_whose_book_cannot_be_fetched_now_can_be_deployed_later(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "1")
    kept = Home.read().books.with_name("kept")

    def champion() -> str:
        if champion_of(registry) == "2" and not kept.exists():
            (Home.read().home / "mlflow" / "artifacts").rename(kept)
            for number in "12":
                remove(copy_of(registry.books, registry.version(number).digest))
        return champion_of(registry)

    with answering(Upstream(champion)) as server:
        with pytest.raises(DeployOutageError, match="version 2 cannot be checked: the book of"):
            deploy(registry, "2", [server.address])
        kept.rename(Home.read().home / "mlflow" / "artifacts")
        monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
        deploy(registry, "2", [server.address])
        assert champion_of(registry) == "2"


def test_a_branch_has_aliases_of_its_own_and_reloads_no_server(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_BRANCH", "test.mine")
    mine = Registry()
    with pytest.raises(NoChampionError, match=r"no model is champion of branch test\.mine yet"):
        mine.resolve()
    mine.set_state("changed", "2026-01-01")
    assert deploy(mine, "2") == []
    assert (mine.resolve().version, champion_of(registry)) == ("2", "1")
    assert registry.get_state("changed") == ""
    deploy(mine, "1")
    assert (mine.resolve().version, mine.resolve(PREVIOUS).version) == ("1", "2")
    with pytest.raises(NoChampionError):
        registry.resolve(PREVIOUS)
