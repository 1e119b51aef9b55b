"""The images as a cluster runs them: built, not root, read-only, and answering together."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pokewatch.gateway.auth.keys import KeyStore
from tests import images
from tests.champion import make_champion
from tests.conftest import ROOT
from tests.serving.server import free_ports
from tests.tools import require_tool

pytestmark = [pytest.mark.pods, pytest.mark.timeout(1800)]

LOOK = """
import importlib.util as u, json, os, sys
names = ("numpy", "pandas", "pyarrow", "mlflow", "mlserver", "metaflow", "lightgbm", "pip")
def writable(path):
    try:
        open(path, "w").close()
    except OSError:
        return False
    return True
print(json.dumps({
    "user": os.getuid(),
    "modules": [name for name in names if u.find_spec(name)],
    "writable": [
        path
        for path in ("/x", "/opt/pokewatch/x", "/home/pokewatch/x", "/tmp/x")
        if writable(path)
    ],
}))
"""
MODULES = {
    "gateway": [],
    "serving": [
        "numpy",
        "pandas",
        "pyarrow",
        "mlflow",
        "mlserver",
    ],  # pandas is what MLServer itself asks for
    "pipeline": ["numpy", "pandas", "pyarrow", "mlflow", "metaflow", "lightgbm"],
}
MOST_MB = {"gateway": 300, "serving": 900, "pipeline": 1600}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the engine's settings are, once the images are built."""
    require_tool("podman")
    found = tmp_path_factory.mktemp("images")
    images.build(found)
    return found


@pytest.mark.parametrize("target", images.TARGETS)
def test_an_image_has_what_it_needs_and_no_more(target: str, folder: Path) -> None:
    options = [
        "--rm",
        "--network",
        "none",
        "--no-healthcheck",
        "--read-only",
        "--read-only-tmpfs=false",
        "--tmpfs",
        "/tmp",
    ]
    answer = json.loads(
        images.podman("run", *options, images.image(target), "python", "-c", LOOK, folder=folder)
    )
    assert answer == {"user": 10001, "modules": MODULES[target], "writable": ["/tmp/x"]}


@pytest.mark.parametrize("target", images.TARGETS)
def test_an_image_says_what_it_is_and_stays_small(
    target: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = json.loads(images.podman("image", "inspect", images.image(target), folder=folder))
    megabytes = found["Size"] / 1e6
    with capsys.disabled():
        sys.stdout.write(f"\n{target}: {megabytes:.0f} MB\n")
    assert megabytes < MOST_MB[target]
    assert found["Config"]["User"] == "10001:10001"
    assert found["Labels"]["org.opencontainers.image.title"] == "PokeWatch"
    head = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found["Labels"]["org.opencontainers.image.revision"] == commit.strip()
    assert f"POKEWATCH_GIT_COMMIT={commit.strip()}" in found["Config"]["Env"]
    health = found.get("HealthCheck") or found.get("Healthcheck") or {}
    assert health["Test"][0] == ("NONE" if target == "pipeline" else "CMD")


@pytest.fixture
def containers(folder: Path) -> Iterator[list[str]]:
    """Names of containers, which are gone after the test; where it failed, their logs are told."""
    names: list[str] = []
    yield names
    for name in names:
        sys.stderr.write(images.logs(name, folder))
        images.podman("rm", "--force", "--time", "0", name, folder=folder)


def test_together_they_answer(
    folder: Path, containers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow in the pipeline's image, MLServer in the serving image, the gateway in its own."""
    mlflow, rest, grpc, metrics, port, gateway_metrics = free_ports(6)
    registry, url = f"http://127.0.0.1:{mlflow}", f"http://127.0.0.1:{port}"

    def run(
        target: str, environment: dict[str, str], command: Sequence[str] = (), mode: str = "rw"
    ) -> None:
        state = tmp_path / target
        state.mkdir(exist_ok=True)
        subprocess.run(["chown", "-R", "10001:10001", str(state)], check=True)
        containers.append(f"pokewatch-{target}-{uuid.uuid4().hex[:8]}")
        mounts = [f"{state}:/home/pokewatch/state:{mode}"]
        images.podman(
            *images.locked_down(
                containers[-1], target, command, environment=environment, mounts=mounts
            ),
            folder=folder,
        )

    stored = [
        "--backend-store-uri",
        "sqlite:////home/pokewatch/state/mlflow.db",
        "--artifacts-destination",
        "/home/pokewatch/state/models",
    ]
    run(
        "pipeline",
        {},
        ["mlflow", "server", "--port", str(mlflow), "--workers", "1", "--serve-artifacts", *stored],
    )
    _answers(f"{registry}/health")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry)
    make_champion()
    ports = {"HTTP": rest, "GRPC": grpc, "METRICS": metrics}
    named = {f"MLSERVER_{name}_PORT": str(number) for name, number in ports.items()}
    run("serving", {**named, "MLSERVER_HOST": "127.0.0.1", "MLFLOW_TRACKING_URI": registry})
    key = KeyStore(tmp_path / "gateway" / "keys.sqlite").create("test").key
    listening = {
        "POKEWATCH_GATEWAY_PORT": str(port),
        "POKEWATCH_GATEWAY_METRICS_PORT": str(gateway_metrics),
        "POKEWATCH_GATEWAY_HOST": "127.0.0.1",
    }
    run("gateway", {**listening, "POKEWATCH_MLSERVER_URL": f"http://127.0.0.1:{rest}"}, mode="ro")
    _answers(f"{url}/ready")

    headers = {"X-API-Key": key}
    (card,) = httpx.get(f"{url}/cards", params={"limit": 1}, headers=headers).json()["cards"]
    answer = httpx.post(f"{url}/fair_price", json={"card_id": card["card_id"]}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["fair_price"] > 0
    assert answer.json()["model_version"] == "1"
    assert httpx.post(f"{url}/fair_price", json={"card_id": card["card_id"]}).status_code == 401


@retry(
    stop=stop_after_delay(120),
    wait=wait_fixed(0.2),
    retry=retry_if_exception_type((httpx.TransportError, AssertionError)),
    reraise=True,
)
def _answers(url: str) -> None:
    answer = httpx.get(url)
    assert answer.status_code == 200, answer.text
