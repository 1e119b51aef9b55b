"""Callers move from one process to a gateway with an MLServer, by shares of a real nginx."""

import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokewatch.gateway.auth.keys import KeyStore
from tests import nginx
from tests.in_process.processes import gateway_process
from tests.polling import eventually
from tests.serving.books import make_book
from tests.serving.server import free_ports, models_folder, point_at, running

CALLERS, SHARES = 32, ("0%", "10%", "50%", "100%")
HTTP = """\
    split_clients "$http_x_api_key" $side {{ {moved} * process; }}
    upstream process {{ server {process}; keepalive 16; }}
    upstream services {{ server {services}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://$side;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            add_header X-Side $side-{share} always;
        }}
    }}
"""


@dataclass
class Split:
    """An nginx in front of both. `move` gives the services a share of the callers."""

    folder: Path
    process: str
    services: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, share: str) -> Path:
        """Write the configuration that gives the services a share. Return its path."""
        http = HTTP.format(
            share=share,
            moved="" if share == "0%" else f"{share} services;",
            process=self.process.removeprefix("http://"),
            services=self.services.removeprefix("http://"),
            port=self.port,
        )
        return nginx.write_config(self.folder, http)

    def move(self, share: str) -> None:
        config = self.write(share)
        subprocess.run(["nginx", "-c", str(config), "-s", "reload"], check=True)
        eventually(self._share, lambda found: found == share)

    def _share(self) -> str:
        return httpx.get(f"{self.url}/health").headers["x-side"].partition("-")[2]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A home with keys, which both gateways use."""
    home = tmp_path_factory.mktemp("home")
    store = KeyStore(home / "keys.sqlite")
    return home, [store.create(f"caller {i}", rate="none").key for i in range(CALLERS)]


@pytest.fixture(scope="module")
def split(
    keys: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Split]:
    folder, (home, _) = tmp_path_factory.mktemp("split"), keys
    models = folder / "models"
    ports = models_folder(models)
    point_at(models, folder / "book", make_book(folder / "book"), "7")
    with (
        running(models, ports, {"POKEWATCH_HOME": str(folder / "home")}) as server,
        gateway_process(home, "--in-process", POKEWATCH_MLSERVER_MODELS=str(models)) as process,
        gateway_process(home, POKEWATCH_MLSERVER_URL=server.url) as services,
    ):
        found = Split(folder, process.url, services.url, free_ports(1)[0])
        with nginx.running(found.write(SHARES[0]), found.url):
            yield found


class Callers:
    """Callers that each ask for prices, one request after another, until told to stop."""

    def __init__(self, url: str, keys: list[str]) -> None:
        self._url, self._keys = url, keys
        self._stopped = threading.Event()
        self.sides: dict[str, list[str]] = {key: [] for key in keys}
        self.answers: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def run(self, meanwhile: Callable[[], None]) -> None:
        with ThreadPoolExecutor(len(self._keys)) as threads:
            found = [threads.submit(self._ask, key) for key in self._keys]
            try:
                meanwhile()
            finally:
                self._stopped.set()
                for each in found:
                    each.result()  # says why, if `meanwhile` waited in vain

    def wait_for(self, more: int) -> None:
        """Wait until each caller has so many more answers."""
        wanted = {key: len(sides) + more for key, sides in self.sides.items()}
        eventually(lambda: all(len(self.sides[key]) >= wanted[key] for key in wanted), bool)

    def _ask(self, key: str) -> None:
        # nginx closes idle connections as it reads its configuration again.
        once = httpx.Limits(max_keepalive_connections=0)
        headers = {"X-API-Key": key}
        with httpx.Client(base_url=self._url, headers=headers, timeout=30, limits=once) as client:
            while not self._stopped.is_set():
                card = f"card_{2 + len(self.sides[key]) % 30}"
                reply = client.post("/fair_price", json={"card_id": card})
                assert reply.status_code == 200, reply.text
                self.sides[key].append(reply.headers["x-side"])
                answer = {**reply.json(), "request_id": "", "as_of": ""}
                if answer not in self.answers[card]:
                    self.answers[card].append(answer)


@pytest.mark.slow
def test_callers_move_share_by_share_and_no_request_fails(
    split: Split, keys: tuple[Path, list[str]]
) -> None:
    callers = Callers(split.url, keys[1])

    def steps() -> None:
        for share in SHARES:
            split.move(share)
            callers.wait_for(5)

    callers.run(steps)
    moved: set[str] = set()
    for share in SHARES:
        sides = {
            key: {side for side in found if side.endswith(f"-{share}")}
            for key, found in callers.sides.items()
        }
        assert all(len(each) == 1 for each in sides.values()), "each caller has one of both"
        before, moved = moved, {key for key in sides if sides[key] == {f"services-{share}"}}
        assert before <= moved
        assert abs(len(moved) / CALLERS - float(share.rstrip("%")) / 100) < 0.25
    assert all(len(found) == 1 for found in callers.answers.values()), callers.answers
