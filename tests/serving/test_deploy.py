"""Deploying to real HTTP servers that stand for MLServer, to a real MLServer, and a real registry."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pokewatch.errors import DeployError, NoChampionError
from pokewatch.registry import CHAMPION, DEPLOYED_AT, PREVIOUS, Registry
from pokewatch.serving.deploy import Outcome, deploy, rollback
from pokewatch.settings import ServingSettings
from tests.answering import answering
from tests.serving.server import free_ports

pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),  # MLflow's models on SQLAlchemy 2.1
]


class Upstream(ThreadingHTTPServer):
    """Answers like MLServer: at a load it takes up what `champion` says, unless `refuses` that version."""

    def __init__(self, champion: Callable[[], str], refuses: str = "", stuck: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.champion, self.refuses, self.stuck = champion, refuses, stuck
        self.serving = champion()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v2/repository/models/fair-price/load":
            asked = self.server.champion()
            if asked == self.server.refuses:
                return self._answer(500, {"error": "fair.arrow is damaged"})
            self.server.serving = self.server.serving if self.server.stuck else asked
            return self._answer(200, {})
        return self._answer(200, {"parameters": {"model_version": self.server.serving}, "outputs": []})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def champion_of(registry: Registry) -> str:
    return registry.resolve(CHAMPION).version


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Versions 1 and 2, the first of them champion; nothing is watched, for they have no books."""
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
    (tmp_path / "manifest.json").write_text("{}")
    registry = Registry()
    run_id = registry.log_run(tmp_path, parameters={}, metrics={}, tags={"data_version": "dv"})
    for digest in ("a" * 64, "b" * 64):
        registry.register(run_id, digest)
    registry.point(CHAMPION, "1")
    return registry


def test_every_address_follows(registry: Registry) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as first, answering(Upstream(champion)) as second:
        assert deploy(registry, "2", [first.address, second.address]) == [
            Outcome(first.address, "serving"),
            Outcome(second.address, "serving"),
        ]
        assert (first.serving, second.serving) == ("2", "2")
    assert (champion_of(registry), registry.resolve(PREVIOUS).version) == ("2", "1")
    assert DEPLOYED_AT in registry.version("2").tags


def test_nothing_running_is_no_failure(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", str(port))
    assert deploy(registry, "2") == [Outcome(f"http://127.0.0.1:{port}", "not running")]
    assert champion_of(registry) == "2"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [({"refuses": "2"}, "refused version 2: fair.arrow is damaged"), ({"stuck": True}, "answers with version 1, not 2")],
    ids=["refused", "not followed"],
)
def test_the_former_champion_is_put_back_everywhere(registry: Registry, fault: dict[str, object], reason: str) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as good, answering(Upstream(champion, **fault)) as bad:  # type: ignore[arg-type]
        with pytest.raises(DeployError, match=f"{bad.address} {reason}; version 1 is champion again$"):
            deploy(registry, "2", [good.address, bad.address])
        assert (good.serving, bad.serving) == ("1", "1")
    assert champion_of(registry) == "1"


def test_without_a_former_champion_there_is_none_again(registry: Registry) -> None:
    registry.release(CHAMPION)
    with (
        answering(Upstream(lambda: "2", refuses="2")) as bad,
        pytest.raises(DeployError, match="no model is champion, as before"),
    ):
        deploy(registry, "2", [bad.address])


def test_an_address_that_cannot_be_reached_at_all(registry: Registry) -> None:
    with pytest.raises(DeployError, match=r"did not answer: .*; version 1 is champion again, but "):
        deploy(registry, "2", ["http://no-such-host.invalid:1"])
    assert champion_of(registry) == "1"


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ServingSettings.read().addresses() == ["http://127.0.0.1:8080"]
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", "http://a:1/, http://b:2")
    assert ServingSettings.read().addresses() == ["http://a:1", "http://b:2"]


def test_a_rollback_serves_the_previous_champion_everywhere(registry: Registry) -> None:
    def champion() -> str:
        return champion_of(registry)

    with answering(Upstream(champion)) as first, answering(Upstream(champion)) as second:
        addresses = [first.address, second.address]
        deploy(registry, "2", addresses)
        assert rollback(registry, addresses) == ("1", [Outcome(address, "serving") for address in addresses])
        assert (first.serving, second.serving, champion_of(registry)) == ("1", "1", "1")


def test_there_is_nothing_to_roll_back_to(registry: Registry) -> None:
    with pytest.raises(NoChampionError, match="no model is previous"):
        rollback(registry, [])
