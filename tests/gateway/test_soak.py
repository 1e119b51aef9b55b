"""The gateway under load while its model is reloaded, and on Starlette 1."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.settings import Home
from tests.conftest import ROOT
from tests.gateway.clock import until
from tests.gateway.test_server import RUN, started
from tests.serving.books import make_book
from tests.serving.server import Server, models_folder, point_at, reloads, running
from tests.tools import require_tool

Answers = list[tuple[int, str, float]]


@pytest.fixture
def reloadable(tmp_path: Path) -> Iterator[tuple[Server, list[tuple[Path, str]]]]:
    """An MLServer for this test only, and two books for it."""
    books = [
        (tmp_path / f"book{number}", make_book(tmp_path / f"book{number}", scale=1 + number / 10))
        for number in range(2)
    ]
    ports = models_folder(tmp_path / "models")
    point_at(tmp_path / "models", *books[0], "0")
    with running(
        tmp_path / "models", ports, {"POKEWATCH_HOME": str(tmp_path / "mlserver")}
    ) as server:
        yield server, books


async def busy(url: str, key: str, number: int, stop: asyncio.Event, answers: Answers) -> None:
    """Send requests until `stop` is set.

    Record the status, the version, and the fair price relative to that of the first book.
    """
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=30) as client:
        while not stop.is_set():
            card = 2 + number % 38
            response = await client.post("/fair_price", json={"card_id": f"card_{card}"})
            body = response.json()
            answers.append(
                (
                    response.status_code,
                    body.get("model_version", ""),
                    round(body.get("fair_price", 0) / (card + 1.04), 3),
                )
            )
            number += 7


async def under_load(
    url: str, key: str, server: Server, books: list[tuple[Path, str]], seconds: float, pause: float
) -> tuple[Answers, int]:
    answers: Answers = []
    stop = asyncio.Event()
    clients = [asyncio.create_task(busy(url, key, number, stop, answers)) for number in range(8)]
    count = await reloads(server, books, seconds, pause)
    stop.set()
    await asyncio.gather(*clients)
    return answers, count


@pytest.mark.slow
def test_reloads_change_the_version_without_errors(
    reloadable: tuple[Server, list[tuple[Path, str]]], tmp_path: Path, home: Path
) -> None:
    server, books = reloadable
    key = KeyStore(Home.read().keys).create("soak", rate="none").key
    with started(
        RUN, tmp_path / "log", POKEWATCH_MLSERVER_URL=server.url, POKEWATCH_WATCH_SECONDS="0.05"
    ) as (_, url):
        answers, count = asyncio.run(under_load(url, key, server, books, 4, 0.5))
        asyncio.run(settled(url, key, str(count)))
    assert {status for status, _, _ in answers} == {200}
    assert len({version for _, version, _ in answers}) > 2
    # Prices must match the version, also in cached responses: even ones are book 0, odd book 1.
    assert {(int(version) % 2, price) for _, version, price in answers} == {(0, 1.0), (1, 1.1)}


async def settled(url: str, key: str, version: str) -> None:
    """Wait until no cached response of an earlier version is served."""
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}) as client:

        async def new() -> bool:
            return bool(
                (await client.post("/fair_price", json={"card_id": "card_4"})).json()[
                    "model_version"
                ]
                == version
            )

        await until(new)


@pytest.mark.slow
def test_a_minute_of_reloads_under_load(
    reloadable: tuple[Server, list[tuple[Path, str]]], tmp_path: Path, home: Path
) -> None:
    server, books = reloadable
    key = KeyStore(Home.read().keys).create("soak", rate="none").key
    with started(
        RUN, tmp_path / "log", POKEWATCH_MLSERVER_URL=server.url, POKEWATCH_ANSWER_CACHE="0"
    ) as (process, url):
        asyncio.run(under_load(url, key, server, books, 10, 2))
        before = psutil.Process(process.pid).memory_info().rss
        answers, count = asyncio.run(under_load(url, key, server, books, 60, 2))
        grown = psutil.Process(process.pid).memory_info().rss - before
    assert {status for status, _, _ in answers} == {200}
    assert count >= 15
    assert grown < 16 * 1_048_576, f"{grown / 1_048_576:.1f} MiB more after {len(answers)} requests"


@pytest.mark.slow
def test_starlette_1(mlserver: Server, tmp_path: Path, home: Path) -> None:
    """With the gateway's dependencies only, on the latest Starlette, deprecations as errors."""
    uv = require_tool("uv")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", str(python.parent.parent)], check=True)
    subprocess.run(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            str(python),
            f"{ROOT}[gateway]",
            "starlette>=1",
        ],
        check=True,
    )
    check = (
        "import starlette, importlib.util as u; "
        "assert not any(map(u.find_spec, ('numpy', 'pandas', 'mlflow', 'mlserver')))"
    )
    found = subprocess.run(
        [str(python), "-c", f"{check}; print(starlette.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(found.stdout.split(".")[0]) >= 1
    key = KeyStore(Home.read().keys).create("tests").key
    settings = {"PYTHONWARNINGS": "error", "POKEWATCH_MLSERVER_URL": mlserver.url}
    with (
        started(RUN, tmp_path / "log", python=str(python), **settings) as (_, url),
        httpx.Client(base_url=url, headers={"X-API-Key": key}) as client,
    ):
        assert client.post("/fair_price", json={"card_id": "card_4"}).json()["signal"] == "HOLD"
        expected = {
            "/cards": 200,
            "/cards/card_4": 200,
            "/cards/nobody": 404,
            "/fair_price": 405,
            "/nowhere": 404,
            "/docs": 200,
        }
        assert {path: client.get(path).status_code for path in expected} == expected
        assert client.post("/v2/models/decision/infer", json={"inputs": []}).status_code == 409
