import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# No test asserts a duration, and a commit passes or fails the same way every time.
hypothesis.settings.register_profile("pokewatch", deadline=None, derandomize=True)
hypothesis.settings.load_profile("pokewatch")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the homes. pytest would count all its folders to number each of thousands."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty POKEWATCH_HOME, with every other PokeWatch setting unset."""
    for name in os.environ:
        if name.startswith("POKEWATCH_") and name not in {
            "POKEWATCH_REQUIRE_TOOLS",
            "POKEWATCH_SHARED_DATA",
            "POKEWATCH_GATEWAY_METRICS_PORT",
        }:
            monkeypatch.delenv(name)
    for name in ("MLFLOW_TRACKING_URI", "OTEL_EXPORTER_OTLP_ENDPOINT", "POKEMON_PRICE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    folder = Path(tempfile.mkdtemp(dir=homes))
    monkeypatch.setenv("POKEWATCH_HOME", str(folder))
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the tests of whole programs, which take longest: at the end one would wait."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


def pytest_collection_finish() -> None:
    """Leave all that was imported out of garbage collections, which walk it time and again."""
    gc.freeze()


def pytest_configure() -> None:
    """Let gateways of tests that run side by side have any free port for their metrics.

    Programs that tests start keep what they write in a buffer, as they do for most users.
    Under nohup, let the programs that tests start have the signal that it ignores: unlike an
    ignored signal, one with a handler is not inherited.
    """
    os.environ["POKEWATCH_GATEWAY_METRICS_PORT"] = "0"
    os.environ.pop("PYTHONUNBUFFERED", None)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of an S3 server with empty buckets."""
    from tests.s3 import running  # imported here: moto takes seconds, and few tests need it

    with running() as url:
        yield url


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def remote(
    request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A remote for the data versions, in the settings."""
    if request.param == "folder":
        address = str(tmp_path / "remote")
    else:
        from tests.s3 import reach

        address = f"s3://data/{tmp_path.name}"
        reach(request.getfixturevalue("s3"), monkeypatch)
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", address)
    return address


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real prices, which are not part of the project."""
    folder = Path(os.environ.get("POKEWATCH_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real prices at {folder}: set POKEWATCH_SHARED_DATA to test against them")
    return folder


@pytest.fixture(scope="session")
def empty_mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, to be copied: creating one takes seconds."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def registry_home(home: Path, empty_mlflow_database: Path) -> Path:
    """A POKEWATCH_HOME with an empty registry."""
    (home / "mlflow").mkdir()
    shutil.copy(empty_mlflow_database, home / "mlflow" / "mlflow.db")
    return home


@pytest.fixture(scope="session")
def champion_folder(tmp_path_factory: pytest.TempPathFactory, empty_mlflow_database: Path) -> Path:
    """A POKEWATCH_HOME with a champion, shared by the session: read only."""
    from pokewatch.registry import Registry
    from tests.champion import make_champion

    folder = tmp_path_factory.mktemp("champion")
    (folder / "mlflow").mkdir()
    shutil.copy(empty_mlflow_database, folder / "mlflow" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POKEWATCH_HOME", str(folder))
        Registry().download_book(make_champion().model)
    return folder


@pytest.fixture
def champion_home(home: Path, champion_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A POKEWATCH_HOME with a champion: 120 simulated cards over 90 days."""
    monkeypatch.setenv("POKEWATCH_HOME", str(champion_folder))
    return champion_folder
