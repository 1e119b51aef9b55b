"""Gateways as processes of their own: one that holds the models, and one with an MLServer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pokewatch.gateway.auth.keys import KeyStore
from tests.conftest import ROOT
from tests.polling import eventually
from tests.serving.server import free_ports


@dataclass(frozen=True)
class RunningGateway:
    process: subprocess.Popen[bytes]
    folder: Path
    url: str
    metrics_url: str
    key: str

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, path: str, **more: Any) -> httpx.Response:
        url, headers = self.url + path, {"X-API-Key": self.key}
        return httpx.get(url, headers=headers, timeout=30, verify=False, **more)


@contextmanager
def gateway_process(home: Path, *arguments: str, **settings: str) -> Iterator[RunningGateway]:
    """Run `pokewatch gateway ARGUMENTS` with `home`, and yield it once it is ready."""
    with started(home, *arguments, **settings) as gateway:

        def ready() -> bool:
            assert gateway.process.poll() is None, gateway.log()
            try:
                return gateway.get("/ready").status_code == 200
            except httpx.TransportError:
                return False

        eventually(ready, bool)
        yield gateway


@contextmanager
def started(home: Path, *arguments: str, **settings: str) -> Iterator[RunningGateway]:
    """Run `pokewatch gateway ARGUMENTS`, yield it at once, and kill it at the end."""
    home.mkdir(parents=True, exist_ok=True)
    scopes = ("read", "batch", "admin")
    key = KeyStore(home / "keys.sqlite").create("tests", scopes=scopes, rate="none").key
    port, metrics_port = free_ports(2)
    environment = {
        "PYTHONPATH": str(ROOT),
        "POKEWATCH_HOME": str(home),
        "POKEWATCH_GATEWAY_PORT": str(port),
        "POKEWATCH_GATEWAY_METRICS_PORT": str(metrics_port),
        "POKEWATCH_ACCESS_LOG": "false",
        "POKEWATCH_WATCH_SECONDS": "0.2",
        **settings,
    }
    program = Path(sys.executable).with_name("pokewatch")
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(program), "gateway", *arguments],
            cwd=home,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
    url, metrics_url = (f"http://127.0.0.1:{each}" for each in (port, metrics_port))
    try:
        yield RunningGateway(process, home, url, metrics_url, key)
    finally:
        process.kill()
        process.wait()
