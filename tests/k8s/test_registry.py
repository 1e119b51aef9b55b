"""The registry of the manifests, on PostgreSQL and S3, and the Job of `make rollback`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pokewatch.deploy.rollout import deploy
from pokewatch.registry import CHAMPION, PREVIOUS, Registry
from pokewatch.serving.record_store import RecordStore
from pokewatch.settings import RegistrySettings
from pokewatch.valuation.track_record import TrackRecord, add_issues
from tests.k8s.rendering import K8S, rendered_jobs, rendered_overlay
from tests.polling import eventually
from tests.postgres import running as running_postgres
from tests.s3 import CREDENTIALS
from tests.s3 import running as running_s3
from tests.serving.books import FACTS, make_book
from tests.serving.server import Server, free_ports, infer, models_folder, running, tensor
from tests.valuation.test_track_record import forecasts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BIN = Path(sys.executable).parent


@contextmanager
def _process(command: list[str], folder: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program with children of its own, which all end with it."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, process_group=0, **options
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, 2)
        process.wait()


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of an empty database, as the Secret `postgres` has one."""
    with running_postgres("mlflow") as address:
        yield address


@pytest.fixture(scope="module")
def registry_server(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """The URL and the process group of `mlflow server`, run as its manifest says.

    It listens on a port of its own.
    """
    folder, (port,) = tmp_path_factory.mktemp("mlflow"), free_ports(1)
    deployment, _ = yaml.safe_load_all((K8S / "base" / "mlflow.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    command = [str(BIN / "mlflow"), *container["command"][1:], *container["args"]]
    command = [
        {"--port=5000": f"--port={port}", "--host=0.0.0.0": "--host=127.0.0.1"}.get(part, part)
        for part in command
    ]
    given = {
        "MLFLOW_BACKEND_STORE_URI": postgres,
        **{name: CREDENTIALS[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
    }
    assert {each["name"] for each in container["env"]} == given.keys()
    with running_s3() as s3:
        given |= _configured("mlflow") | {
            "MLFLOW_S3_ENDPOINT_URL": s3,
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://models/mlflow",
        }
        with _process(command, folder, env={**os.environ, **given}) as process:
            _healthy(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}", process.pid


@pytest.fixture(scope="module")
def registry(registry_server: tuple[str, int]) -> str:
    return registry_server[0]


def _configured(name: str) -> dict[str, str]:
    """Return the data of the ConfigMap of that name in the production overlay."""
    (found,) = (
        each["data"]
        for each in rendered_overlay(K8S / "overlays" / "production")
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith(f"{name}-")
    )
    settings: dict[str, str] = found
    return settings


def test_the_registry_has_no_processes_for_jobs_of_mlflow(registry_server: tuple[str, int]) -> None:
    _, group = registry_server
    done = subprocess.run(
        ["pgrep", "--pgroup", str(group), "--list-full"], capture_output=True, text=True, check=True
    )
    assert "uvicorn" in done.stdout
    assert "mlflow.server.jobs" not in done.stdout


@retry(
    stop=stop_after_delay(300),
    wait=wait_fixed(0.2),
    retry=retry_if_exception_type((httpx.TransportError, AssertionError)),
    reraise=True,
)
def _healthy(url: str) -> None:
    assert httpx.get(f"{url}/health").status_code == 200


@pytest.fixture
def servers(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Server]]:
    """Two MLServers that have version 1, the champion, from the registry; there is a version 2."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry)
    models = Registry()
    for number in (1, 2):
        digest = make_book(
            tmp_path / f"book-{number}", facts=replace(FACTS, git_commit=str(number))
        )
        run = models.log_run(
            tmp_path / f"book-{number}",
            parameters={"n": number},
            metrics={"mape": 1.5},
            tags={"data_version": "dv"},
        )
        models.register(run, digest)
    models.set_alias(CHAMPION, "1")
    with ExitStack() as stack:
        found = []
        for number in (1, 2):
            folder = tmp_path / f"replica-{number}"
            environment = {"POKEWATCH_HOME": str(folder / "home"), "MLFLOW_TRACKING_URI": registry}
            found.append(stack.enter_context(running(folder, models_folder(folder), environment)))
        yield found


def _answering(servers: list[Server]) -> list[str]:
    return [
        infer(server, "fair-price", tensor("card_id", ["card_4"])).json()["parameters"][
            "model_version"
        ]
        for server in servers
    ]


def test_a_rollback_by_its_job_reaches_every_replica(
    servers: list[Server],
    registry: str,
    postgres: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    addresses = [server.url for server in servers]
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
    deploy(Registry(), "2", addresses)
    assert _answering(servers) == ["2", "2"]

    job = rendered_jobs()["rollback"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    given = {
        "MLFLOW_TRACKING_URI": registry,
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "POKEWATCH_MLSERVER_URLS": ",".join(addresses),
    }
    assert {each["name"] for each in container["env"]} == given.keys()
    program, *arguments = container["command"]
    started = time.perf_counter()
    done = subprocess.run(
        [str(BIN / program), *arguments],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    with capsys.disabled():
        sys.stdout.write(f"\nrolled back on {len(servers)} MLServers in {seconds:.1f} s\n")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "model version 1 is champion again",
        *(f"{address}: serving" for address in addresses),
    ]
    assert _answering(servers) == ["1", "1"]
    models = Registry(RegistrySettings(mlflow_tracking_uri=registry))
    assert (models.resolve(CHAMPION).version, models.resolve(PREVIOUS).version) == ("1", "2")
    with psycopg.connect(postgres.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT alias, version FROM registered_model_aliases WHERE alias = 'champion'"
        ).fetchall()
    assert [(alias, str(version)) for alias, version in rows] == [("champion", "1")]


def test_a_book_is_fetched_from_the_registry_and_not_from_s3_itself(
    servers: list[Server], registry: str, tmp_path: Path
) -> None:
    """The network policies let MLServer reach the registry alone."""
    program = [str(BIN / "python"), "-c", _FETCH_COUNTING]
    hosts = {}
    for name, given in (("as shipped", _configured("mlserver")), ("as MLflow would", {})):
        environment = {
            **os.environ,
            **given,
            "MLFLOW_TRACKING_URI": registry,
            "POKEWATCH_HOME": str(tmp_path / name),
        }
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        hosts[name] = set(done.stdout.splitlines()[-1].split())
    port = registry.rpartition(":")[2]
    assert hosts["as shipped"] == {port}
    assert hosts["as MLflow would"] > {port}


# Prints the ports that this process connects to while it fetches the champion's book.
_FETCH_COUNTING = """
import socket
ports = set()
connect = socket.socket.connect
def counted(self, address):
    if isinstance(address, tuple):
        ports.add(str(address[1]))
    return connect(self, address)
socket.socket.connect = counted
from pokewatch.serving import champion
champion._fetch("champion")
print(*ports)
"""


def _record_of(server: Server) -> str:
    found = httpx.post(f"{server.url}/catalog/track_record", json={}, timeout=30).json()
    return str(found["record"])


def test_every_replica_fetches_the_track_record(servers: list[Server]) -> None:
    """The replicas share no disk with the monitoring, and fetch the record after a load."""
    assert [_record_of(server) for server in servers] == ["", ""]
    models = Registry()
    store = RecordStore(models, FACTS.source, FACTS.market)
    record = replace(
        TrackRecord(FACTS.source, FACTS.currency, date(2026, 1, 10)),
        files=add_issues(store.folder, (), [forecasts(date(2026, 1, 1))]),
    )
    published = store.publish(record, models.resolve().run_id)
    for server in servers:
        load = httpx.post(f"{server.url}/v2/repository/models/fair-price/load", timeout=120)
        assert load.status_code == 200, load.text
    for server in servers:
        eventually(
            partial(_record_of, server), lambda found: found == published.digest, seconds=120
        )
        piece = {"name": published.files[0].name, "format": "parquet", "number": 0}
        sent = httpx.post(f"{server.url}/catalog/track_record/piece", json=piece)
        assert sent.content == (store.folder / published.files[0].name).read_bytes()
