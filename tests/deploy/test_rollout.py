"""Deploys to HTTP servers in place of MLServer and to a real one, with a real registry."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from pokewatch.cli.findings import Finding
from pokewatch.cli.model_checks import market_findings
from pokewatch.deploy import transaction
from pokewatch.deploy.book_checks import checked_book
from pokewatch.deploy.compatibility import REPLACE_HINT, require_compatible, require_newest
from pokewatch.deploy.records import DeployRecords
from pokewatch.deploy.reload import ReplicaOutcome
from pokewatch.deploy.rollout import _served_by, deploy, rollback
from pokewatch.errors import DeployError, DeployOutageError, NoChampionError
from pokewatch.registry import CHALLENGER, CHAMPION, DEPLOYED_AT, LAST_DAY, PREVIOUS, Registry
from pokewatch.settings import Home, RegistrySettings, ServingSettings
from pokewatch.valuation.book import STATUSES, BookRows, write_book
from pokewatch.valuation.book.copies import copy_of, remove
from tests.answering import answering
from tests.monitoring.listener import Listener, listening
from tests.serving.books import FACTS, catalog, make_book, rows
from tests.serving.server import free_ports

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:The ``noload`` loader strategy:DeprecationWarning"
    ),  # MLflow's models on SQLAlchemy 2.1
    pytest.mark.filterwarnings(
        "ignore:'imghdr' is deprecated:DeprecationWarning"
    ),  # Apprise imports it on Python 3.11 and 3.12
]


class Upstream(ThreadingHTTPServer):
    """Answers like MLServer: a load takes `champion()`, unless the server `refuses` it.

    It cannot reach the registry for `outage`, and ends the connection for `hangs_up`.
    """

    def __init__(
        self,
        champion: Callable[[], str],
        refuses: str = "",
        stuck: bool = False,
        outage: str = "",
        hangs_up: str = "",
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.champion, self.refuses, self.stuck = champion, refuses, stuck
        self.outage, self.hangs_up = outage, hangs_up
        self.serving = champion()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v2/repository/models/fair-price/load":
            version = self.server.champion()
            if version == self.server.outage:
                return self._answer(503, {"error": "the registry does not answer"})
            if version == self.server.hangs_up:
                return None
            if version == self.server.refuses:
                return self._answer(500, {"error": "fair.arrow is damaged"})
            self.server.serving = self.server.serving if self.server.stuck else version
            return self._answer(200, {})
        return self._answer(
            200, {"parameters": {"model_version": self.server.serving}, "outputs": []}
        )

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """What people are notified of."""
    with listening() as server:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", server.address)
        yield server


def champion_of(registry: Registry) -> str:
    return registry.resolve(CHAMPION).version


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Versions 1 and 2, the first of them champion; no canary."""
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
    registry = Registry()
    for number in (1, 2):
        register_book(registry, tmp_path / f"book-{number}", git_commit=str(number))
    registry.set_alias(CHAMPION, "1")
    return registry


def register_book(
    registry: Registry, folder: Path, count: int = 40, days: int = 5, **facts: str
) -> str:
    """Register a small book with other facts; its version."""
    digest = make_book(folder, count, days, facts=replace(FACTS, **facts))  # type: ignore[arg-type]
    run = registry.log_run(folder, parameters={}, metrics={}, tags={"data_version": "dv"})
    return registry.register(run, digest).version


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
        (
            ["other markets", "not running"],
            "no MLServer of its market runs; the next one that starts serves it",
        ),
    ],
)
def test_people_are_told_how_many_servers_of_its_market_serve_a_version(
    states: Sequence[Literal["serving", "not running", "other markets"]], text: str
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


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ServingSettings.read().addresses() == ["http://127.0.0.1:8080"]
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", "http://a:1/, http://b:2")
    assert ServingSettings.read().addresses() == ["http://a:1", "http://b:2"]


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("fd00::2", "[fd00::2]"),
        ("::", "[::1]"),
    ],
)
def test_a_deploy_reaches_the_mlserver_of_this_machine_where_it_listens(
    host: str, reached_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At another address nothing listens, and the deploy would leave the server as it is."""
    monkeypatch.setenv("POKEWATCH_MLSERVER_HOST", host)
    monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", "9080")
    assert ServingSettings.read().addresses() == [f"http://{reached_at}:9080"]


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


def test_what_replace_would_not_help_is_not_said_to(registry: Registry) -> None:
    refusal = "version {} cannot replace version {}: "
    with pytest.raises(DeployOutageError) as raised:
        require_compatible(registry, "2", "9")
    assert str(raised.value).startswith(refusal.format(2, 9) + "model version '9' cannot be found")
    assert REPLACE_HINT not in str(raised.value)
    remove(copy_of(registry.books, registry.version("2").digest))
    run = Home.read().home / "mlflow" / "artifacts" / registry.version("2").run_id
    shutil.rmtree(run)
    with pytest.raises(DeployOutageError) as raised:
        require_compatible(registry, "2", "1")
    assert REPLACE_HINT not in str(raised.value)
    with pytest.raises(DeployError) as without:
        require_compatible(registry, "1", "2")
    assert str(without.value).startswith(refusal.format(1, 2) + "the book of model version 2")
    assert str(without.value).endswith(REPLACE_HINT)


@pytest.mark.parametrize(
    ("count", "days", "facts", "reason"),
    [
        (40, 5, {"market": "file-mine"}, "its market is file-mine, not simulated-0"),
        (40, 5, {"market": "simulated-7"}, "its market is simulated-7, not simulated-0"),
        (40, 5, {"currency": "EUR"}, "its currency is EUR, not USD"),
        (40, 4, {}, "its prices end on 2026-01-04, those of the champion on 2026-01-05"),
        (37, 5, {}, "it lacks 3 of its 40 cards, limit 5%"),
    ],
    ids=["source", "seed", "currency", "days", "cards"],
)
def test_another_market_or_older_prices_replace_the_champion_only_on_request(
    count: int, days: int, facts: dict[str, str], reason: str, registry: Registry, tmp_path: Path
) -> None:
    version = register_book(registry, tmp_path / "other", count, days, **facts)
    refusal = (
        f"version {version} cannot replace version 1: {reason}; "
        "if this is intended, run the flow with --replace true"
    )
    with pytest.raises(DeployError, match=f"^{re.escape(refusal)}$"):
        deploy(registry, version, [])
    assert champion_of(registry) == "1"
    deploy(registry, version, [], replace=True)
    assert champion_of(registry) == version


def test_prices_older_than_the_champions_are_refused_before_a_model_is_made(
    registry: Registry,
) -> None:
    require_newest(registry, date(2026, 1, 4))  # the champion is one whose last day is not known
    registry.set_tag("1", LAST_DAY, "2026-01-05")
    require_newest(registry, date(2026, 1, 5))
    refusal = (
        "prices up to 2026-01-04 cannot replace version 1, whose prices end on 2026-01-05; "
        "if this is intended, run the flow with --replace true"
    )
    with pytest.raises(DeployError, match=f"^{re.escape(refusal)}$"):
        require_newest(registry, date(2026, 1, 4))
    registry.delete_alias(CHAMPION)
    require_newest(registry, date(2026, 1, 4))


def test_a_few_missing_cards_are_the_same_market(registry: Registry, tmp_path: Path) -> None:
    for count in (38, 60):
        version = register_book(registry, tmp_path / str(count), count)
        deploy(registry, version, [])
        assert champion_of(registry) == version


def test_a_version_without_its_book_does_not_replace_the_champion(
    registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "manifest.json").write_text("{}")
    run = registry.log_run(
        tmp_path / "empty", parameters={}, metrics={}, tags={"data_version": "dv"}
    )
    version = registry.register(run, "0" * 64).version
    with pytest.raises(
        DeployError, match=r"cannot replace version 1: the book in .* is not the requested one"
    ):
        deploy(registry, version, [])
    assert champion_of(registry) == "1"


def test_a_champion_whose_book_is_damaged_is_replaced_on_request(registry: Registry) -> None:
    champion = registry.resolve()
    artifacts = Home.read().home / "mlflow" / "artifacts" / champion.run_id / "artifacts"
    (artifacts / "book" / "fair.arrow").write_bytes(b"damaged")
    remove(copy_of(registry.books, champion.digest))
    with pytest.raises(DeployError, match=r"cannot replace version 1: .*fair\.arrow is damaged"):
        deploy(registry, "2", [])
    with pytest.raises(DeployError, match=r"version 2 cannot be checked: .*is damaged"):
        checked_book(registry, "2", "1")
    assert checked_book(registry, "2", "1", replace=True).version == "2"
    deploy(registry, "2", [], replace=True)
    assert champion_of(registry) == "2"


def test_books_that_share_no_valued_card_cannot_be_compared(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "1")
    monkeypatch.setenv("POKEWATCH_DEPLOY_MISSING_CARDS", "1")
    version = register_book(registry, tmp_path / "other", 1)
    folder = tmp_path / "nothing"
    digest = write_book(folder, catalog(1), unvalued(), replace(FACTS, run_id="nothing"))
    run = registry.log_run(folder, parameters={}, metrics={}, tags={"data_version": "dv"})
    former = registry.register(run, digest).version
    registry.set_alias(CHAMPION, former)
    with (
        answering(Upstream(lambda: champion_of(registry))) as server,
        pytest.raises(DeployError, match=f"it shares no valued card with version {former}"),
    ):
        deploy(registry, version, [server.address])
    assert champion_of(registry) == former


def unvalued() -> BookRows:
    """One card, without a fair price."""
    given = rows(1)
    nothing = np.full_like(given.market, np.nan)
    status = np.full(given.market.shape, STATUSES.index("thin_history"), dtype=np.int8)
    return replace(given, fair=nothing, lower=nothing, upper=nothing, status=status)


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
