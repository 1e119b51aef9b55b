"""`pokewatch gateway`: the application on uvicorn, guarded against slow clients, drained on SIGTERM."""

import asyncio
from types import FrameType
from typing import Any

import uvicorn

from pokewatch.gateway.app import Gateway, create_app, settle_garbage
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.http import logs
from pokewatch.gateway.http.uvicorn_protocol import GuardedProtocol
from pokewatch.settings import GatewaySettings, Home


class Server(uvicorn.Server):
    """On the first SIGTERM or SIGINT /ready turns 503; after `drain_seconds`, or at a second signal, no connection is taken any more."""

    def __init__(self, config: uvicorn.Config, app: Gateway, drain_seconds: float) -> None:
        super().__init__(config)
        self._assembly = app.assembly
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        first = not self._assembly.draining
        self._assembly.draining = True
        if first and self._drain_seconds:
            asyncio.get_running_loop().call_later(
                self._drain_seconds, super().handle_exit, sig, frame
            )
        else:
            super().handle_exit(sig, frame)


def configured(app: Gateway, settings: GatewaySettings, **more: Any) -> uvicorn.Config:
    """uvicorn as the gateway runs on it."""
    fields = {"header_seconds": settings.body_seconds, "refused": app.refused}
    protocol = type("Protocol", (GuardedProtocol,), fields)
    return uvicorn.Config(
        app,
        **{
            "host": settings.gateway_host,
            "port": settings.gateway_port,
            "loop": "uvloop",
            "http": protocol,
            "ws": "none",
            "lifespan": "on",
            "access_log": False,
            "server_header": False,
            "proxy_headers": False,
            "timeout_graceful_shutdown": settings.stop_seconds,
            "log_config": None,
            **more,
        },
    )


def run(settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises KeyStoreError where the keys cannot be read."""
    logs.configure("pokewatch", "uvicorn")
    app = create_app(settings, KeyStore(Home.read().keys))
    settle_garbage()
    Server(configured(app, settings), app, settings.drain_seconds).run()
