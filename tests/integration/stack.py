"""`pokewatch serve` as a separate process on free ports."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.serving.server import free_ports


@dataclass(frozen=True)
class Served:
    process: subprocess.Popen[bytes]
    curl: str
    gateway: str
    mlserver: str
    key: str
    card: str


@contextlib.contextmanager
def served(
    home: Path,
    log: Path,
    *,
    python: str = sys.executable,
    folder: Path | None = None,
    arguments: Sequence[str] = (),
    **settings: str,
) -> Iterator[Served]:
    """Run `pokewatch serve ARGUMENTS` in the environment of a Python; stop it as Ctrl-C does."""
    environment = environment_of(home, **settings)
    # A file, not a pipe: a full pipe without a reader would block the process.
    with log.open("w") as output:
        command = [python, "-m", "pokewatch.cli.main", "serve", *arguments]
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        curl = _printed_curl(process, log)
        key, card = re.search(r"X-API-Key: (\S+)'", curl), re.search(r'"card_id": "([^"]+)"', curl)
        assert key is not None, curl
        assert card is not None, curl
        gateway, mlserver = (
            f"http://127.0.0.1:{environment[f'POKEWATCH_{name}_PORT']}"
            for name in ("GATEWAY", "MLSERVER_HTTP")
        )
        yield Served(process, curl, gateway, mlserver, key[1], card[1])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def environment_of(home: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a `pokewatch serve` on free ports."""
    names = ("GATEWAY", "MLSERVER_HTTP", "MLSERVER_GRPC", "MLSERVER_METRICS")
    ports = {
        f"POKEWATCH_{name}_PORT": str(port)
        for name, port in zip(names, free_ports(len(names)), strict=True)
    }
    return os.environ | ports | {"POKEWATCH_HOME": str(home), "PYTHONUNBUFFERED": "1"} | settings


def _printed_curl(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the curl line that is printed once both servers are ready."""
    with log.open() as printed:
        while process.poll() is None:
            for line in iter(printed.readline, ""):
                if line.startswith("curl "):
                    return line.strip()
            time.sleep(0.1)  # files can only be polled
    raise AssertionError(
        f"pokewatch serve ended with code {process.returncode}:\n{log.read_text()[-4000:]}"
    )
