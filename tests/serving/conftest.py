from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.books import make_book
from tests.serving.server import Server, add_model, models_folder, point_at, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running MLServer that serves `make_book()` as version 7, and the model `bare`.

    card_7 has no market price on the last day.
    """
    folder = tmp_path_factory.mktemp("mlserver")
    digest = make_book(folder / "book", unquoted=[7])
    ports = models_folder(folder / "models")
    point_at(folder / "models", folder / "book", digest, "7")
    add_model(folder / "models", "bare", "tests.bench.numpy_runtime.BareRuntime")
    with running(folder / "models", ports, {"POKEWATCH_HOME": str(folder / "home")}) as found:
        yield found


@pytest.fixture
def book(tmp_path: Path) -> tuple[Path, str]:
    """The folder and digest of a book."""
    return tmp_path / "book", make_book(tmp_path / "book")
