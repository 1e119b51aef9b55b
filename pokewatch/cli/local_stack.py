"""MLServer and the gateway on one machine, started and stopped together, or as one process."""

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from pokewatch.bundled import bundled
from pokewatch.contract import MARKETS_PATH
from pokewatch.errors import SettingsError, StackError
from pokewatch.gateway.listening import listen
from pokewatch.settings import GatewaySettings, ServingSettings
from pokewatch.settings.values import local_address

_POLL_SECONDS = 0.1
_READY_SECONDS = 90.0  # that each server may take
_STOP_SECONDS = 30.0


class Stack:
    """The two servers as child processes that log to files in the folder `logs`.

    With `in_process` there is one, the gateway, which holds the models.
    """

    def __init__(
        self,
        serving: ServingSettings,
        gateway: GatewaySettings,
        logs: Path,
        *,
        in_process: bool = False,
    ) -> None:
        self.logs = logs
        self._serving = serving
        self._gateway = gateway
        self.in_process = in_process
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def gateway_url(self) -> str:
        return local_address(self._gateway.gateway_host, self._gateway.gateway_port)

    @property
    def mlserver_url(self) -> str:
        return self._serving.local_address

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the servers, ready on entry and stopped on exit.

        Raise StackError if one does not become ready, SettingsError if a port is taken.
        """
        models = models_folder(self._serving)
        self._check_ports()
        try:
            if not self.in_process:
                self._start_mlserver(models)
            alone = ["--in-process"] if self.in_process else []
            self._start("gateway", ["pokewatch", "gateway", *alone], self._gateway_environment())
            self._wait_until_ready("gateway", f"{self.gateway_url}/ready")
            yield
        finally:
            self._stop()

    def wait(self, tick: Callable[[], None]) -> None:
        """Call `tick` several times a second until a server exits, then raise StackError."""
        while True:
            self._check()
            tick()
            time.sleep(_POLL_SECONDS)

    def _start_mlserver(self, models: Path) -> None:
        command = ["mlserver", "start", str(models)]
        self._start("mlserver", command, mlserver_environment(self._serving))
        self._wait_until_ready("mlserver", f"{self.mlserver_url}{MARKETS_PATH}")

    def _check_ports(self) -> None:
        """Raise SettingsError if a port is taken, or is that of two of our servers.

        Its owner would answer in place of our server.
        """
        ports = ("mlserver_http_port", "mlserver_grpc_port", "mlserver_metrics_port")
        with contextlib.ExitStack() as listening:
            for port in () if self.in_process else ports:
                listening.enter_context(_listen(self._serving, "mlserver_host", port))
            for server in ("gateway", "gateway_metrics"):
                found = _listen(self._gateway, f"{server}_host", f"{server}_port")
                listening.enter_context(found)

    def _gateway_environment(self) -> dict[str, str]:
        environment = {"POKEWATCH_MLSERVER_URL": self.mlserver_url}
        if "access_log" not in self._gateway.model_fields_set:
            environment[self._gateway.variable("access_log")] = "false"
        return environment

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        child = [sys.executable, "-P", "-m", "pokewatch.cli.child_process", str(os.getpid())]
        with self._new_log(name) as log:
            # In its own session: Ctrl-C reaches this process alone, which stops the gateway first.
            self._processes[name] = subprocess.Popen(
                [*child, *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _new_log(self, name: str) -> BinaryIO:
        """Open an empty log file; the one of the last start is renamed to `.log.1`."""
        log = self._log(name)
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            log.replace(log.with_name(f"{log.name}.1"))
        return log.open("ab")

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _wait_until_ready(self, name: str, url: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while reason := not_ready(url):
            self._check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"{name} is not ready at {url} after {_READY_SECONDS:g} seconds: "
                    f"{reason}; its log: {self._log(name)}"
                )
            time.sleep(_POLL_SECONDS)

    def _check(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise StackError(
                    f"{name} exited with code {process.returncode}; its log: {self._log(name)}"
                )

    def _stop(self) -> None:
        """Stop the gateway, then MLServer, each with time to finish its open requests.

        A second Ctrl-C kills both at once.
        """
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


@contextlib.contextmanager
def log_folder(logs: Path, port: int) -> Iterator[Path]:
    """Yield the folder for the logs of this process.

    It is `logs`, or one for the gateway's port in it while another process writes to `logs`.
    """
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (logs / "serve.lock").open("w") as lock:
        folder = logs
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            folder = logs / str(port)
        yield folder


def models_folder(settings: ServingSettings) -> Path:
    """Return the folder that MLServer loads. Raise SettingsError if it is not one of models."""
    folder = settings.mlserver_models or bundled("mlserver_models")
    if not (folder / "settings.json").is_file():
        raise SettingsError(
            f"{settings.variable('mlserver_models')}: {folder} has no settings.json, so "
            "MLServer cannot load it"
        )
    return folder


def mlserver_environment(settings: ServingSettings) -> dict[str, str]:
    """Return MLServer's environment variables for our settings."""
    return {
        "MLSERVER_HOST": settings.mlserver_host,
        "MLSERVER_HTTP_PORT": str(settings.mlserver_http_port),
        "MLSERVER_GRPC_PORT": str(settings.mlserver_grpc_port),
        "MLSERVER_METRICS_PORT": str(settings.mlserver_metrics_port),
    }


def _listen(settings: ServingSettings | GatewaySettings, host: str, port: str) -> socket.socket:
    """Listen at the address of two settings. Raise SettingsError."""
    variables = settings.variable(host), settings.variable(port)
    return listen(getattr(settings, host), getattr(settings, port), *variables)


def not_ready(url: str) -> str:
    """Return why a server does not answer 200 at its address of readiness, "" if it does."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # http, from our settings  # noqa: S310
            return "" if response.status == 200 else f"status {response.status}"
    except urllib.error.HTTPError as error:
        with error:
            return _detail(error.read()) or f"status {error.code}"
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return "no answer"


def _detail(problem: bytes) -> str:
    try:
        return str(json.loads(problem)["detail"])
    except (ValueError, TypeError, KeyError):
        return ""
