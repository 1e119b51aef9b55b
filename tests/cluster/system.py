"""The system on a small node, with what stands in for images that are not built here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import images
from tests.cluster.node import PAUSE
from tests.cluster.own import OwnCluster
from tests.k8s.rendering import K8S
from tests.s3 import CREDENTIALS

# PostgreSQL, Redis and MinIO: pods of their names do nothing. The registry and the watches have
# SQLite files, the limits are each gateway's own, and S3 is outside the cluster.
_STANDING_IN = ("StatefulSet/postgres", "StatefulSet/minio", "Deployment/redis")
_SUSPENDED = {
    "target": {"kind": "CronJob", "name": "watches"},
    "patch": '[{"op": "add", "path": "/spec/suspend", "value": true}]',
}
_OURS = ("gateway", "mlserver", "mlflow")


def load_images(cluster: OwnCluster, folder: Path) -> None:
    """Build the images and give them to the node under the names of the manifests."""
    images.build(folder)
    for target in images.TARGETS:
        name = f"docker.io/{images.image(target).removeprefix('localhost/')}"
        images.podman("tag", images.image(target), name, folder=folder)
        archive = folder / f"{target}.tar"
        options = ("--format", "docker-archive", "--output", str(archive))
        images.podman("save", *options, name, folder=folder)
        cluster.node.import_image(archive)
        archive.unlink()


def manifests(cluster: OwnCluster, folder: Path, notify: str) -> Path:
    """Return a copy of k8s/ whose local overlay fits the node."""
    copy = shutil.copytree(K8S, folder / "k8s")
    local = copy / "overlays" / "local" / "kustomization.yaml"
    local.rename(local.parent / "shipped.yaml")
    shipped = copy / "overlays" / "shipped"
    shutil.move(copy / "overlays" / "local", shipped)
    (shipped / "shipped.yaml").rename(shipped / "kustomization.yaml")
    local.parent.mkdir()
    local.write_text(json.dumps(_kustomization(cluster.s3, notify)))  # YAML is a superset of JSON
    job = copy / "jobs" / "first-run.yaml"
    job.write_text(job.read_text().replace("requests: {cpu: 500m", "requests: {cpu: 50m"))
    return copy


def _kustomization(s3: str, notify: str) -> dict[str, Any]:
    def merged(name: str, namespace: str, values: dict[str, str]) -> dict[str, Any]:
        literals = [f"{key}={value}" for key, value in values.items()]
        found = {"name": name, "namespace": namespace, "behavior": "merge", "literals": literals}
        kept = {"options": {"disableNameSuffixHash": True}}
        return found | (kept if name == "pokewatch-pipeline" else {})

    keys = {name: value for name, value in CREDENTIALS.items() if name != "AWS_DEFAULT_REGION"}
    flows = CREDENTIALS | {
        "POKEWATCH_DVC_REMOTE": "s3://data/dvc",
        "POKEWATCH_DVC_ENDPOINT_URL": s3,
        "POKEWATCH_WATCHES_URL": "sqlite:////home/pokewatch/state/watches.sqlite",
        "POKEWATCH_NOTIFY_URLS": notify,
    }
    settings = {
        "MLFLOW_S3_ENDPOINT_URL": s3,
        "MLFLOW_ARTIFACTS_DESTINATION": "s3://models/mlflow",
    }
    database = {"uri": "sqlite:////home/pokewatch/mlflow.db"}
    return {
        "resources": ["../shipped"],
        "secretGenerator": [
            merged("postgres", "pokewatch", database),
            merged("watches", "pokewatch", {"url": "sqlite:////tmp/watches.sqlite"}),
            merged("mlflow", "pokewatch", keys),
            merged("pokewatch-pipeline", "pokewatch-flows", flows),
        ],
        "configMapGenerator": [merged("mlflow", "pokewatch", settings)],
        "patches": [*map(_small, _OURS), *map(_stand_in, _STANDING_IN), _SUSPENDED],
    }


def _small(name: str) -> dict[str, Any]:
    path = "/spec/template/spec/containers/0/resources/requests/cpu"
    patch = [{"op": "replace", "path": path, "value": "50m"}]
    return {"target": {"kind": "Deployment", "name": name}, "patch": json.dumps(patch)}


def _stand_in(target: str) -> dict[str, Any]:
    kind, _, name = target.partition("/")
    container = "/spec/template/spec/containers/0"
    patch = [{"op": "replace", "path": f"{container}/image", "value": PAUSE}]
    patch += [{"op": "replace", "path": f"{container}/resources/requests/cpu", "value": "10m"}]
    unused = ["livenessProbe", "readinessProbe", "volumeMounts"]
    unused += ["command", "args"] if name != "postgres" else []
    patch += [{"op": "remove", "path": f"{container}/{each}"} for each in unused]
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps(patch)}


def run_script(copy: Path, cluster: OwnCluster, name: str, *arguments: str) -> str:
    """Run a script of k8s/ to its end, and return its output."""
    done = subprocess.run(
        [str(copy / name), *arguments],
        env={
            **os.environ,
            "KUBECONFIG": str(cluster.plane.kubeconfig),
            "POKEWATCH": str(Path(sys.executable).with_name("pokewatch")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
