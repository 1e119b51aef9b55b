"""A real MLServer with a small price book, and gateways in front of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from pokewatch.gateway.app import create_app
from pokewatch.gateway.auth.keys import KeyStore, NewKey
from pokewatch.gateway.server import uvicorn_config
from pokewatch.settings import GatewaySettings
from tests.gateway.tampering import TamperingServer, tampering
from tests.polling import eventually
from tests.serving.books import make_book
from tests.serving.server import Server, serving_book


@dataclass(frozen=True)
class Gateway:
    """A running gateway and a key for it."""

    url: str
    key: NewKey
    store: KeyStore
    app: Any

    def post(self, path: str, json: Any, **more: Any) -> httpx.Response:
        return self.ask("POST", path, json=json, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def metrics(self) -> str:
        """Return the metrics, at most a second old."""
        url = f"http://127.0.0.1:{self.app.assembly.metrics_server.port}/metrics"
        return httpx.get(url, timeout=30, verify=False).text

    def ask(
        self,
        method: str,
        path: str,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Send a request with the gateway's key or with `key`; "" sends none.

        Nothing here is https, and reading the certificate authorities takes longer than an answer.
        """
        given = {} if key == "" else {"X-API-Key": key or self.key.key}
        headers = {**given, **(headers or {})}
        return httpx.request(
            method, self.url + path, headers=headers, timeout=30, verify=False, **more
        )


@contextmanager
def serving(settings: GatewaySettings, store: KeyStore, **more: Any) -> Iterator[tuple[str, Any]]:
    """Serve a gateway in a thread. Yield its URL and its application. `more` goes to uvicorn."""
    app = create_app(settings, store)
    server = uvicorn.Server(uvicorn_config(app, settings, port=0, **more))
    started = threading.Event()
    startup = server.startup

    async def startup_and_signal(**arguments: Any) -> None:
        await startup(**arguments)
        started.set()

    server.startup = startup_and_signal  # type: ignore[method-assign, assignment]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(20)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def gateway_at(
    mlserver_url: str, folder: Path, rate: str = "none", **settings: Any
) -> Iterator[Gateway]:
    """Run a gateway in front of `mlserver_url`, with a key that has all scopes."""
    store = KeyStore(folder / "keys.sqlite")
    key = store.create("tests", scopes=("read", "batch", "admin"), rate=rate)
    found = GatewaySettings.read(
        **{
            "mlserver_url": mlserver_url,
            "access_log": False,
            "watch_seconds": 0.1,
            "gateway_metrics_port": 0,
            **settings,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POKEWATCH_WATCHES_URL", f"sqlite:///{folder}/watches.sqlite")
        with serving(found, store) as (url, app):
            yield Gateway(url, key, store, app)


@pytest.fixture(scope="session")
def mlserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running MLServer that serves `make_book()` as version 7: 40 cards, 2026-01-01 to 05.

    card_7 has no market price on the last day.
    """
    folder = tmp_path_factory.mktemp("mlserver")
    digest = make_book(folder / "book", unquoted=[7])
    with serving_book(folder, digest) as found:
        yield found


@pytest.fixture(scope="session")
def gateway(mlserver: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of that MLServer, shared by tests that do not change it.

    Its key has all scopes and no rate limit. It hardly polls: the model does not change, and ten
    polls a second would take a tenth of a processor until the end of all tests.
    """
    folder = tmp_path_factory.mktemp("gateway")
    with gateway_at(mlserver.url, folder, watch_seconds=10) as found:
        yield found


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Return a function that starts gateways, which stop at the end of the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda url, **settings: stack.enter_context(gateway_at(url, tmp_path, **settings))


@pytest.fixture
def tampering_server(mlserver: Server) -> Iterator[TamperingServer]:
    """A proxy in front of `mlserver` that alters its replies."""
    found: TamperingServer
    with tampering(mlserver.url) as found:
        yield found


@pytest.fixture
def behind(tampering_server: TamperingServer, make_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway whose breaker hardly opens, and which has polled once and hardly polls again."""
    found = make_gateway(tampering_server.url, breaker_failures=100, watch_seconds=60)
    eventually(lambda: found.get("/ready", key="").status_code, lambda code: code == 200)
    return found
