"""The flows on a cluster: Metaflow's Kubernetes client, real containers, an S3."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pokewatch.market.latest_version import LatestVersions
from pokewatch.pipeline.collect import collect_prices
from pokewatch.pipeline.processing import join_shards, process_shard
from pokewatch.pipeline.training import evaluate_candidate
from pokewatch.registry import CHAMPION, Registry
from pokewatch.settings import RegistrySettings, VersionSettings
from tests import images
from tests.cluster.api import Cluster, kubernetes
from tests.cluster.flow import CLUSTER, environment, start
from tests.cluster.pods import Node
from tests.conftest import ROOT
from tests.s3 import CREDENTIALS
from tests.serving.server import free_ports
from tests.tools import require_tool

pytestmark = [pytest.mark.pods, pytest.mark.timeout(2400)]

CARDS, DAYS, LAST = 400, 70, "2026-01-31"  # as many cards as make two of the shards hold some
SHARDS = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool("podman")
    found = tmp_path_factory.mktemp("pods")
    images.build(found)
    return found


@pytest.fixture(scope="module")
def secrets(s3: str) -> dict[str, str]:
    """What the Secret pokewatch-pipeline holds."""
    return {
        **CREDENTIALS,
        "POKEWATCH_DVC_REMOTE": "s3://data/dvc",
        "POKEWATCH_DVC_ENDPOINT_URL": s3,
    }


@pytest.fixture(scope="module")
def cluster(folder: Path, secrets: dict[str, str]) -> Iterator[Cluster]:
    with kubernetes(Node(folder, {"pokewatch-pipeline": secrets}).launch) as found:
        yield found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server, as the manifests have one."""
    home = tmp_path_factory.mktemp("registry")
    (port,) = free_ports(1)
    command = [
        str(Path(sys.executable).with_name("mlflow")),
        "server",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += [
        "--backend-store-uri",
        f"sqlite:///{home}/mlflow.db",
        "--serve-artifacts",
        "--artifacts-destination",
        str(home / "artifacts"),
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _healthy(url)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait()


@retry(
    stop=stop_after_delay(180),
    wait=wait_fixed(0.2),
    retry=retry_if_exception_type((httpx.TransportError, AssertionError)),
    reraise=True,
)
def _healthy(url: str) -> None:
    assert httpx.get(f"{url}/health").status_code == 200


def _config(folder: Path, registry: str = "") -> Path:
    """cluster.json, with this machine's image and addresses."""
    (closed,) = free_ports(1)
    path = folder / "cluster.json"
    addresses = {
        "POKEWATCH_MLSERVER_URLS": f"http://127.0.0.1:{closed}",
        "MLFLOW_TRACKING_URI": registry,
    }
    shipped = json.loads(CLUSTER.read_text())
    around = {"image": images.image("pipeline"), "environment": shipped["environment"] | addresses}
    path.write_text(json.dumps(shipped | around))
    return path


def test_a_pod_that_fails_is_retried_and_one_killed_for_memory_is_reported_as_that(
    folder: Path, cluster: Cluster, s3: str, tmp_path: Path
) -> None:
    flows = shutil.copytree(ROOT / "flows", tmp_path / "flows")
    flow = Path(shutil.copy(ROOT / "tests" / "cluster" / "flows" / "fragile.py", flows))
    env = environment(tmp_path / "home", s3, cluster.kubeconfig(tmp_path))
    done = start(
        "--config", "deploy", str(_config(tmp_path)), "run", env=env, cwd=tmp_path, flow=flow
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "this node is going down" in output
    assert "The pod was killed for memory" in output, output
    assert "attempt 1; " in output
    jobs = list(cluster.jobs.values())
    assert [job.step for job in jobs].count("start") == 2
    assert [job.step for job in jobs if job.pod.killed_for_memory] == ["greedy"]


def test_the_whole_flow_runs_in_pods_with_the_result_of_a_local_run(
    folder: Path,
    cluster: Cluster,
    registry: str,
    secrets: dict[str, str],
    s3: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = environment(tmp_path / "home", s3, cluster.kubeconfig(tmp_path))
    before = set(cluster.jobs)
    parameters = {
        "--cards": CARDS,
        "--days": DAYS,
        "--to": LAST,
        "--shards": SHARDS,
        "--max-workers": 2,
    }
    arguments = [str(part) for pair in parameters.items() for part in pair]
    done = start(
        "--production",
        "--config",
        "deploy",
        str(_config(tmp_path, registry)),
        "run",
        *arguments,
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = [job for name, job in cluster.jobs.items() if name not in before]
    assert [job.step for job in jobs].count("features") == SHARDS
    assert {job.container["image"] for job in jobs} == {images.image("pipeline")}

    found = Registry(RegistrySettings(mlflow_tracking_uri=registry))
    champion = found.resolve(CHAMPION)
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert (
        LatestVersions(VersionSettings.read()).read(f"simulated-{CARDS}-0")
        == champion.tags["raw_version"]
    )

    for name in secrets:
        monkeypatch.delenv(name)
    collected = collect_prices("simulated", end=date.fromisoformat(LAST), days=DAYS, cards=CARDS)
    data_version = join_shards([process_shard(collected, 0, 1)])
    assert champion.data_version == data_version
    evaluation = found.document(champion, "evaluation.json")
    again = evaluate_candidate(data_version, evaluation["model"], evaluation["horizon"])
    assert evaluation == again.to_dict()
