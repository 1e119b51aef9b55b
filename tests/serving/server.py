"""A real MLServer for `mlserver_models`, in a subprocess on free ports."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.conftest import ROOT

MODELS = ROOT / "mlserver_models"


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    folder: Path
    http_port: int
    grpc_port: int
    metrics_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", verify=False).text

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def workers(self) -> list[psutil.Process]:
        """Return the running worker processes."""
        return [child for child in psutil.Process(self.process.pid).children() if _is_worker(child)]

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def free_ports(count: int) -> list[int]:
    """Return unused ports."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def point_at(folder: Path, book: Path, digest: str, version: str) -> None:
    """Make the models folder serve a book."""
    settings = MODELS / "fair-price" / "model-settings.json"
    content = json.loads(settings.read_text()) | {
        "parameters": {"uri": str(book), "extra": {"digest": digest, "model_version": version}},
    }
    target = folder / "fair-price" / "model-settings.json"
    written = target.with_suffix(".new")
    written.write_text(json.dumps(content))
    written.replace(target)


def models_folder(folder: Path, workers: int = 0, **settings: Any) -> tuple[int, int, int]:
    """Copy `mlserver_models` to a folder; return its HTTP, gRPC and metrics ports."""
    shutil.copytree(MODELS, folder, dirs_exist_ok=True)
    ports = free_ports(3)
    content = json.loads((folder / "settings.json").read_text()) | {
        "parallel_workers": workers,
        "metrics_dir": str(folder / "metrics"),
        "environments_dir": str(folder / "environments"),
        **dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True)),
        **settings,
    }
    (folder / "settings.json").write_text(json.dumps(content))
    return ports[0], ports[1], ports[2]


def add_model(folder: Path, name: str, implementation: str) -> None:
    """Add a model to a models folder."""
    (folder / name).mkdir()
    (folder / name / "model-settings.json").write_text(
        json.dumps({"name": name, "implementation": implementation})
    )


@contextmanager
def running(
    folder: Path, ports: tuple[int, int, int], environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run the server of a models folder, yield it once it is ready, and kill it at the end."""
    with started(folder, ports, environment) as server:
        wait_until(server, "/v2/models/fair-price/ready", "/v2/models/decision/ready")
        yield server


@contextmanager
def serving_book(folder: Path, digest: str) -> Iterator[Server]:
    """Run a server of the book in `folder`, as version 7, with a home there too."""
    ports = models_folder(folder / "models")
    point_at(folder / "models", folder / "book", digest, "7")
    with running(folder / "models", ports, {"POKEWATCH_HOME": str(folder / "home")}) as server:
        yield server


@contextmanager
def started(
    folder: Path, ports: tuple[int, int, int], environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run the server of a models folder, yield it at once, and kill it at the end."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "mlserver"), "start", str(folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, folder, *ports)
    try:
        yield server
    finally:
        for child in (
            psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        ):
            child.kill()
        process.kill()
        process.wait()


@retry(
    stop=stop_after_delay(120),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type((httpx.TransportError, AssertionError)),
    reraise=True,
)
def wait_until(server: Server, *paths: str) -> None:
    """Wait until every path returns 200."""
    if server.process.poll() is not None:
        raise RuntimeError(f"MLServer ended with {server.process.returncode}:\n{server.log()}")
    for path in paths:
        assert httpx.get(f"{server.url}{path}", verify=False).status_code == 200


def tensor(
    name: str, data: list[Any], datatype: str | None = None, shape: list[int] | None = None
) -> dict[str, Any]:
    """Return a V2 input for REST."""
    kind = datatype or ("BYTES" if data and isinstance(data[0], str) else "FP64")
    return {"name": name, "shape": shape or [len(data)], "datatype": kind, "data": data}


def infer(server: Server, model: str, *inputs: dict[str, Any], **more: Any) -> httpx.Response:
    """Send a V2 request over REST."""
    url, body = f"{server.url}/v2/models/{model}/infer", {"inputs": list(inputs), **more}
    return httpx.post(url, json=body, timeout=30, verify=False)


def columns(response: httpx.Response) -> dict[str, list[Any]]:
    """Return the outputs of a response by name."""
    assert response.status_code == 200, response.text
    return {output["name"]: output["data"] for output in response.json()["outputs"]}


async def reloads(
    server: Server, books: list[tuple[Path, str]], seconds: float, pause: float
) -> int:
    """Serve two books in turn as versions 1, 2, 3, ...; return the number of loads."""
    ends = time.monotonic() + seconds
    version = 0
    async with httpx.AsyncClient(timeout=30) as client:
        while time.monotonic() < ends:
            version += 1
            point_at(server.folder, *books[version % 2], str(version))
            response = await client.post(f"{server.url}/v2/repository/models/fair-price/load")
            assert response.status_code == 200, response.text
            await asyncio.sleep(pause)
    return version
