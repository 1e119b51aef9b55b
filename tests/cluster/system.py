"""The system on a small node, with what stands in for images that are not built here."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import images
from tests.cluster.node import ADDRESS, PAUSE
from tests.cluster.own import OwnCluster
from tests.conftest import ROOT
from tests.k8s.rendering import K8S
from tests.s3 import CREDENTIALS

# MinIO's image is not built here: S3 is outside the cluster, and a pod of its name does nothing.
_SUSPENDED = {
    "target": {"kind": "CronJob", "name": "watches"},
    "patch": '[{"op": "add", "path": "/spec/suspend", "value": true}]',
}
_OURS = ("gateway", "mlserver", "mlflow")
_DEBIAN = ROOT / "tests" / "cluster" / "debian"
Recorder = Callable[[str, object], None]  # pytest's record_property
URL = f"http://{ADDRESS}:30080"  # of the NodePort


@dataclass(frozen=True)
class System:
    """PokeWatch, deployed to a cluster."""

    cluster: OwnCluster
    manifests: Path
    printed: str  # by `make deploy`
    seconds: float  # until its first answer

    @property
    def key(self) -> str:
        """The first API key."""
        found = re.search("first API key, shown once: (pw_\\S+)", self.printed)
        assert found, self.printed
        return found[1]


def load_images(cluster: OwnCluster, folder: Path) -> None:
    """Build the images and give them to the node under the names of the manifests."""
    images.build(folder)
    for target in images.TARGETS:
        name = f"docker.io/{images.image(target).removeprefix('localhost/')}"
        images.podman("tag", images.image(target), name, folder=folder)
        copy_image(cluster, name, folder)
    for target in ("redis", "postgres"):
        build_debian(cluster, target, f"docker.io/library/{_image(target)}", folder)


def build_debian(
    cluster: OwnCluster, target: str, name: str, folder: Path, **arguments: str
) -> None:
    """Build an image of what the manifests take from others, and give it to the node."""
    images.build_target(_DEBIAN, target, name, folder, arguments)
    copy_image(cluster, name, folder)


def copy_image(cluster: OwnCluster, name: str, folder: Path) -> None:
    """Give an image to the node."""
    archive = folder / "image.tar"
    options = ("--format", "docker-archive", "--output", str(archive))
    images.podman("save", *options, name, folder=folder)
    cluster.node.import_image(archive)
    archive.unlink()


def _image(name: str) -> str:
    """Return the image that a manifest takes."""
    found = re.search(rf"image: ({name}:\S+)", (K8S / "base" / f"{name}.yaml").read_text())
    assert found
    return found[1]


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
        "POKEWATCH_NOTIFY_URLS": notify,
    }
    settings = {
        "MLFLOW_S3_ENDPOINT_URL": s3,
        "MLFLOW_ARTIFACTS_DESTINATION": "s3://models/mlflow",
    }
    return {
        "resources": ["../shipped"],
        "secretGenerator": [
            merged("mlflow", "pokewatch", keys),
            merged("pokewatch-pipeline", "pokewatch-flows", flows),
        ],
        "configMapGenerator": [merged("mlflow", "pokewatch", settings)],
        "patches": [*map(_small, _OURS), _no_minio(), _no_volume(), _s3_outside(s3), _SUSPENDED],
    }


def _small(name: str) -> dict[str, Any]:
    path = "/spec/template/spec/containers/0/resources/requests/cpu"
    patch = [{"op": "replace", "path": path, "value": "50m"}]
    return {"target": {"kind": "Deployment", "name": name}, "patch": json.dumps(patch)}


def _no_minio() -> dict[str, Any]:
    """Return the patch that leaves a pod without MinIO."""
    container = "/spec/template/spec/containers/0"
    patch = [{"op": "replace", "path": f"{container}/image", "value": PAUSE}]
    patch += [{"op": "replace", "path": f"{container}/resources/requests/cpu", "value": "10m"}]
    unused = ("livenessProbe", "readinessProbe", "volumeMounts", "command", "args")
    patch += [{"op": "remove", "path": f"{container}/{each}"} for each in unused]
    return {"target": {"kind": "StatefulSet", "name": "minio"}, "patch": json.dumps(patch)}


def _no_volume() -> dict[str, Any]:
    """Return the patch for a node whose provisioner makes volumes for root alone."""
    volume = {"name": "data", "emptyDir": {}}
    patch = [
        {"op": "remove", "path": "/spec/volumeClaimTemplates"},
        {"op": "add", "path": "/spec/template/spec/volumes/-", "value": volume},
    ]
    return {"target": {"kind": "StatefulSet", "name": "postgres"}, "patch": json.dumps(patch)}


def _s3_outside(s3: str) -> dict[str, Any]:
    """Return the patch that docs/kubernetes.md names for another S3."""
    to = [{"ipBlock": {"cidr": f"{ADDRESS}/32"}}]
    rule = {"to": to, "ports": [{"protocol": "TCP", "port": urlsplit(s3).port}]}
    patch = [{"op": "replace", "path": "/spec/egress", "value": [rule]}]
    return {"target": {"kind": "NetworkPolicy", "name": "s3"}, "patch": json.dumps(patch)}


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
