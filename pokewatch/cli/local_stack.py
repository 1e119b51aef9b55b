"""MLServer and the gateway on one machine: started together, waited for, ended together."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pokewatch.bundled import bundled
from pokewatch.errors import SettingsError, StackError
from pokewatch.settings import GatewaySettings, ServingSettings

_POLL_SECONDS = 0.1
_STOP_SECONDS = 30.0


class Stack:
    """The two servers as child processes. `ready_seconds` is how long both may take until they answer."""

    def __init__(
        self, serving: ServingSettings, gateway: GatewaySettings, ready_seconds: float = 90.0
    ) -> None:
        self._serving = serving
        self._gateway = gateway
        self._ready_seconds = ready_seconds
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def gateway_url(self) -> str:
        return f"http://{self._gateway.gateway_host}:{self._gateway.gateway_port}"

    @property
    def mlserver_url(self) -> str:
        return f"http://{self._serving.mlserver_host}:{self._serving.mlserver_http_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Both servers, ready; ended on the way out. Raises StackError, SettingsError where a port is taken."""
        models = models_folder(self._serving)
        self._check_ports()
        try:
            self._start(
                "mlserver", ["mlserver", "start", str(models)], mlserver_environment(self._serving)
            )
            self._await("mlserver", f"{self.mlserver_url}/v2/models/fair-price/ready")
            self._start(
                "gateway", ["pokewatch", "gateway"], {"POKEWATCH_MLSERVER_URL": self.mlserver_url}
            )
            self._await("gateway", f"{self.gateway_url}/ready")
            yield
        finally:
            self._stop()

    def wait(self, tick: Callable[[], None]) -> None:
        """Call `tick` several times a second. Raise StackError once one of the servers ends."""
        while True:
            self._check()
            tick()
            time.sleep(_POLL_SECONDS)

    def _check_ports(self) -> None:
        """Another server at one of our ports would answer for ours while ours fails to start."""
        for name in ("mlserver_http_port", "mlserver_grpc_port", "mlserver_metrics_port"):
            _check_free(self._serving, self._serving.mlserver_host, name)
        _check_free(self._gateway, self._gateway.gateway_host, "gateway_port")
        _check_free(self._gateway, self._gateway.gateway_metrics_host, "gateway_metrics_port")

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        command = [
            sys.executable,
            "-P",
            "-m",
            "pokewatch.cli.child_process",
            str(os.getpid()),
            *command,
        ]
        # A session of its own: Ctrl-C reaches this process alone, which then ends the gateway before MLServer.
        self._processes[name] = subprocess.Popen(
            command, env={**os.environ, **environment}, start_new_session=True
        )

    def _await(self, name: str, url: str) -> None:
        deadline = time.monotonic() + self._ready_seconds
        while not _answers(url):
            self._check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"{name} does not answer at {url} after {self._ready_seconds:g} seconds; its log says why"
                )
            time.sleep(_POLL_SECONDS)

    def _check(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} ended with code {process.returncode}; its log says why")

    def _stop(self) -> None:
        """The gateway first, each with time to answer what it has. Another Ctrl-C meanwhile ends both at once: neither is left behind."""
        processes = list(reversed(self._processes.values()))
        try:
            for process in processes:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()


def models_folder(settings: ServingSettings) -> Path:
    """The folder that MLServer starts from. Raises SettingsError where there is none."""
    folder = settings.mlserver_models or bundled("mlserver_models")
    if not (folder / "settings.json").is_file():
        raise SettingsError(
            f"{settings.variable('mlserver_models')}: {folder} is not a folder of MLServer models"
        )
    return folder


def mlserver_environment(settings: ServingSettings) -> dict[str, str]:
    """MLServer's own variables for our settings."""
    return {
        "MLSERVER_HOST": settings.mlserver_host,
        "MLSERVER_HTTP_PORT": str(settings.mlserver_http_port),
        "MLSERVER_GRPC_PORT": str(settings.mlserver_grpc_port),
        "MLSERVER_METRICS_PORT": str(settings.mlserver_metrics_port),
    }


def _check_free(settings: ServingSettings | GatewaySettings, host: str, name: str) -> None:
    port = getattr(settings, name)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise SettingsError(
            f"{settings.variable(name)}: nothing can listen at {host}:{port}: {error.strerror or error}"
        ) from error


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # http, from our settings  # noqa: S310
            return int(response.status) == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
