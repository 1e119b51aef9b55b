"""The gateway on uvicorn, with a drain phase before it stops."""

import asyncio
import logging
from collections.abc import Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from prometheus_client.registry import Collector

from pokewatch.gateway.app import Gateway, create_app, tune_garbage_collector
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.http import logs
from pokewatch.gateway.http.uvicorn_protocol import GuardedProtocol
from pokewatch.gateway.listening import listen
from pokewatch.gateway.upstream.transport import Transport
from pokewatch.settings import GatewaySettings, Home, unknown_names
from pokewatch.tracing import open_tracer

if TYPE_CHECKING:
    from pokewatch.tracing.tracer import Tracer


logger = logging.getLogger("pokewatch.gateway")


class Server(uvicorn.Server):
    """uvicorn server that drains before it stops.

    On the first SIGTERM or SIGINT, /ready responds with 503, and connections are closed after their
    next response. After `drain_seconds`, or on a second signal, the server accepts no more.
    """

    def __init__(self, config: uvicorn.Config, app: Gateway, drain_seconds: float) -> None:
        super().__init__(config)
        self._assembly = app.assembly
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        first = not self._assembly.draining
        self._assembly.draining = True
        cast("type[GuardedProtocol]", self.config.http).keeps_connections = False
        if first and self._drain_seconds:
            asyncio.get_running_loop().call_later(
                self._drain_seconds, super().handle_exit, sig, frame
            )
        else:
            super().handle_exit(sig, frame)


def uvicorn_config(app: Gateway, settings: GatewaySettings, **overrides: Any) -> uvicorn.Config:
    """Return uvicorn's configuration for the gateway. `overrides` replace its values."""
    fields = {"header_seconds": settings.body_seconds, "error_app": app.error_app}
    protocol = type("Protocol", (GuardedProtocol,), fields)
    return uvicorn.Config(
        app.served(),
        **{
            "host": settings.gateway_host,
            "port": settings.gateway_port,
            "loop": "uvloop",
            "http": protocol,
            "ws": "none",
            "lifespan": "on",
            "access_log": False,
            "server_header": False,
            "proxy_headers": bool(settings.trusted_proxies),
            "forwarded_allow_ips": list(settings.trusted_proxies),
            "timeout_graceful_shutdown": settings.stop_seconds,
            "log_config": None,
            **overrides,
        },
    )


def run(
    settings: GatewaySettings,
    transport: Transport | None = None,
    collectors: Iterable[Collector] = (),
    tracer: "Tracer | None" = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raise KeyStoreError if the keys cannot be read, SettingsError if a port is taken.

    `transport` leads to the models, by default by HTTP; `collectors` are of further metrics, and
    `tracer` replaces that of the settings.
    """
    logs.configure("pokewatch", "uvicorn", "opentelemetry")
    for text in unknown_names():
        logger.warning("unknown setting", extra={"cause": text})
    store = KeyStore(Home.read().keys)
    app = create_app(settings, store, transport, tracer or open_tracer("pokewatch-gateway"))
    for collector in collectors:
        app.assembly.metrics.registry.register(collector)
    # Here rather than at uvicorn's start-up, which would log a traceback in place of the reason.
    app.assembly.key_cache.refresh()
    app.assembly.metrics_server.listen()
    variables = settings.variable("gateway_host"), settings.variable("gateway_port")
    listen(settings.gateway_host, settings.gateway_port, *variables).close()
    tune_garbage_collector()
    Server(uvicorn_config(app, settings), app, settings.drain_seconds).run()
