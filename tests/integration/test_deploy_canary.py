"""Deploys of bad models to a real MLServer are undone, with a notification of the failed check."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pokewatch.deploy.rollout import deploy, rollback
from pokewatch.errors import DeployError
from pokewatch.registry import CHAMPION, Registry
from tests.monitoring.listener import Listener, listening
from tests.serving.books import FACTS, make_book
from tests.serving.faulty import FAILING, SLOW, WRONG
from tests.serving.server import Server, columns, infer, models_folder, running, tensor

pytestmark = pytest.mark.integration

SHIFTED, GOOD = "5", "6"


@dataclass(frozen=True)
class Deployed:
    home: Path
    server: Server


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, empty_mlflow_database: Path
) -> Iterator[Deployed]:
    """An MLServer that goes wrong with some versions, serving version 1 of six."""
    folder = tmp_path_factory.mktemp("deployed")
    (folder / "mlflow").mkdir()
    shutil.copy(empty_mlflow_database, folder / "mlflow" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POKEWATCH_HOME", str(folder))
        registry = Registry()
        for number in range(1, 7):
            facts = replace(FACTS, git_commit=str(number))
            book = folder / f"book-{number}"
            digest = make_book(book, scale=2.0 if str(number) == SHIFTED else 1.0, facts=facts)
            registry.register(
                registry.log_run(book, parameters={}, metrics={}, tags={"data_version": "dv"}),
                digest,
            )
        registry.set_alias(CHAMPION, "1")
        registry.download_book(registry.resolve())  # the server would import MLflow to fetch it
    ports = models_folder(folder / "models")
    settings = folder / "models" / "fair-price" / "model-settings.json"
    settings.write_text(
        json.dumps(
            json.loads(settings.read_text())
            | {"implementation": "tests.serving.faulty.FaultyRuntime"}
        )
    )
    with running(folder / "models", ports, {"POKEWATCH_HOME": str(folder)}) as server:
        yield Deployed(folder, server)


@pytest.fixture(autouse=True)
def settings(
    home: Path, deployed: Deployed, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(deployed.home))
    monkeypatch.setenv("POKEWATCH_MLSERVER_METRICS_PORT", str(deployed.server.metrics_port))
    monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
    monkeypatch.setenv("POKEWATCH_NOTIFY_WINDOW_HOURS", "0")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (
            WRONG,
            r"golden answers at \S+: 39 of 40 cards differ from the book; "
            r"fair price of tcgplayer-0-normal: 1.56, in the book 1.04",
        ),
        pytest.param(
            SHIFTED,
            r"its fair prices: their median shift against version 1 is 100\.0% of the "
            r"market price, limit 25\.0%",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            SLOW,
            r"latency at \S+: p95 of \d+ golden requests is \d\.\d{3} s, limit 0\.5 s",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            FAILING,
            r"errors at \S+: \d of \d+ golden requests failed \(HTTP 500\), limit 2\.0%",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["wrong", "shifted", "slow", "failing"],
)
def test_a_bad_model_is_rolled_back_and_people_are_told_why(
    version: str, reason: str, deployed: Deployed, listener: Listener
) -> None:
    with pytest.raises(
        DeployError,
        match=f"version {version} failed the check of {reason}; version 1 is champion again$",
    ):
        deploy(Registry(), version, [deployed.server.url])
    assert Registry().resolve().version == "1"
    answer = infer(deployed.server, "fair-price", tensor("card_id", ["card_4", "card_5"]))
    assert answer.json()["parameters"]["model_version"] == "1"
    assert columns(answer)["fair_price"] == [5.04, 6.04]
    (heard,) = listener.heard
    assert heard["title"] == f"PokeWatch: model version {version} was rolled back"
    assert f"version {version} failed the check of" in heard["message"]
    assert "version 1 is champion again" in heard["message"]


@pytest.mark.slow
def test_a_good_model_stays_until_it_is_rolled_back_by_hand(
    deployed: Deployed,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "2")
    deploy(Registry(), GOOD, [deployed.server.url])
    answer = infer(deployed.server, "fair-price", tensor("card_id", ["card_4"]))
    assert answer.json()["parameters"]["model_version"] == GOOD
    assert "golden requests alone" not in caplog.text, (
        "the live figures of the real server are read"
    )

    assert rollback(Registry(), [deployed.server.url])[0] == "1"
    assert listener.titles() == [
        f"PokeWatch: model version {GOOD} is champion",
        f"PokeWatch: model version {GOOD} was rolled back",
    ]
