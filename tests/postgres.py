"""A PostgreSQL server of its own, for the tests that need one."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.serving.server import free_ports
from tests.tools import require_tool


@contextmanager
def running(name: str) -> Iterator[str]:
    """Run a server. Yield the address of an empty database, of a user `name`."""
    (port,) = free_ports(1)
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin")
    )  # where Debian has it, beside the path
    programs = installed[-1] if installed else Path(require_tool("postgres")).resolve().parent
    # Not in pytest's folder, which only this user may enter.
    with TemporaryDirectory(prefix="postgres-") as temporary:
        folder = Path(temporary)
        options: dict[str, Any] = {}
        if os.geteuid() == 0:  # as which it does not run
            options = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(folder, "postgres", "postgres")
        subprocess.run(
            [programs / "initdb", "--username", name, "--auth", "trust", folder / "data"],
            check=True,
            cwd=folder,
            capture_output=True,
            **options,
        )
        command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
        command += ["-h", "127.0.0.1", "-k", "", "-F"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, process_group=0, **options
            )
        try:
            _create(port, name)
            yield f"postgresql+psycopg://{name}@127.0.0.1:{port}/{name}"
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()


@retry(
    stop=stop_after_delay(60),
    wait=wait_fixed(0.1),
    retry=retry_if_exception_type(psycopg.OperationalError),
    reraise=True,
)
def _create(port: int, name: str) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=port, user=name, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}")
