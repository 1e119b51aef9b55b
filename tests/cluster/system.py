"""The system on a small cluster."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests import images
from tests.cluster.cluster import Cluster
from tests.cluster.node import Node
from tests.conftest import ROOT
from tests.k8s.rendering import K8S

_SUSPENDED = {
    "target": {"kind": "CronJob", "name": "watches"},
    "patch": '[{"op": "add", "path": "/spec/suspend", "value": true}]',
}
_OURS = ("gateway", "mlserver", "mlflow")
_DEBIAN = ROOT / "tests" / "cluster" / "debian"
# What the manifests take from others, by the target that stands in for it.
_OTHERS = {"redis": "base/redis", "postgres": "base/postgres", "minio": "overlays/local/minio"}
Recorder = Callable[[str, object], None]  # pytest's record_property


@dataclass(frozen=True)
class System:
    """PokeWatch, deployed to a cluster."""

    cluster: Cluster
    manifests: Path
    printed: str  # by `make deploy`
    seconds: float  # until its first answer

    @property
    def key(self) -> str:
        """The first API key."""
        found = re.search("first API key, shown once: (pw_\\S+)", self.printed)
        assert found, self.printed
        return found[1]


def image(target: str) -> str:
    """Return the name of an image of `make images`, as the manifests have it."""
    return images.image(target).removeprefix("localhost/")


def load_images(node: Node, folder: Path) -> None:
    """Build the images and give them to a node under the names of the manifests."""
    images.build(folder)
    for target in images.TARGETS:
        name = f"docker.io/{image(target)}"
        images.podman("tag", images.image(target), name, folder=folder)
        copy_image(node, name, folder)
    for target, manifest in _OTHERS.items():
        name = _image_of_others(target, manifest)
        build_debian(node, target, name, folder, MOTO_VERSION=version("moto"))


def build_debian(node: Node, target: str, name: str, folder: Path, **arguments: str) -> None:
    """Build an image of what the manifests take from others, and give it to the node."""
    images.build_target(_DEBIAN, target, name, folder, arguments)
    copy_image(node, name, folder)


def copy_image(node: Node, name: str, folder: Path) -> None:
    """Give an image to the node."""
    archive = folder / "image.tar"
    options = ("--format", "docker-archive", "--output", str(archive))
    images.podman("save", *options, name, folder=folder)
    node.import_image(archive)
    archive.unlink()


def _image_of_others(target: str, manifest: str) -> str:
    """Return the whole name of the image that a manifest takes."""
    text = (K8S / f"{manifest}.yaml").read_text()
    found = re.search(rf"image: (\S*{target}:\S+)", text)
    assert found
    return f"docker.io/{found[1] if '/' in found[1] else f'library/{found[1]}'}"


def manifests(folder: Path, notify: str) -> Path:
    """Return a copy of k8s/ whose local overlay fits a small node."""
    copy = shutil.copytree(K8S, folder / "k8s")
    shipped = copy / "overlays" / "shipped"
    local = copy / "overlays" / "local"
    local.rename(shipped)
    local.mkdir()
    (local / "kustomization.yaml").write_text(json.dumps(_kustomization(notify)))
    job = copy / "jobs" / "first-run.yaml"
    job.write_text(job.read_text().replace("requests: {cpu: 500m", "requests: {cpu: 50m"))
    return copy


def _kustomization(notify: str) -> dict[str, Any]:
    """Return the overlay, in JSON's part of YAML."""
    flows = {
        "name": "pokewatch-pipeline",
        "namespace": "pokewatch-flows",
        "behavior": "merge",
        "literals": [f"POKEWATCH_NOTIFY_URLS={notify}"],
        "options": {"disableNameSuffixHash": True},
    }
    return {
        "resources": ["../shipped"],
        "secretGenerator": [flows],
        "patches": [*map(_small, _OURS), _SUSPENDED],
    }


def _small(name: str) -> dict[str, Any]:
    path = "/spec/template/spec/containers/0/resources/requests/cpu"
    patch = [{"op": "replace", "path": path, "value": "50m"}]
    return {"target": {"kind": "Deployment", "name": name}, "patch": json.dumps(patch)}


def run_script(copy: Path, cluster: Cluster, name: str, *arguments: str) -> str:
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
