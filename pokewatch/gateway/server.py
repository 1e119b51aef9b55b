"""`pokewatch gateway`: the application on uvicorn, guarded against slow clients, drained on SIGTERM."""

import asyncio
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from pokewatch.gateway import logs
from pokewatch.gateway.app import create_app
from pokewatch.gateway.keys import KeyStore
from pokewatch.settings import GatewaySettings, Home


class Server(uvicorn.Server):
    """On the first SIGTERM or SIGINT /ready turns 503; after `drain_seconds` connections are no longer taken."""

    def __init__(self, config: uvicorn.Config, app: Starlette, drain_seconds: float) -> None:
        super().__init__(config)
        self._assembly = app.state.assembly
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._assembly.draining or not self._drain_seconds:
            self._assembly.draining = True
            super().handle_exit(sig, frame)
            return
        self._assembly.draining = True
        asyncio.get_running_loop().call_later(self._drain_seconds, super().handle_exit, sig, frame)


def run(settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT."""
    logs.configure("pokewatch", "uvicorn")
    app = create_app(settings, KeyStore(Home.read().keys))
    config = uvicorn.Config(
        app,
        host=settings.gateway_host,
        port=settings.gateway_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.stop_seconds,
        log_config=None,
    )
    Server(config, app, settings.drain_seconds).run()
