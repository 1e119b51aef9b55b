"""A cluster of its own: control plane, node, DNS and volumes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, control_plane, program
from tests.cluster.kube_router import enforced_policies
from tests.cluster.node import ADDRESS, address, node
from tests.cluster.packet_filter import restored_packet_filter
from tests.cluster.programs import require_program

_STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "standard",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "kubernetes.io/no-provisioner",
}
_VOLUMES = 8


@contextmanager
def own_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster whose network policies are enforced."""
    for name in ("plane", "node", "volumes"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        stack.enter_context(restored_packet_filter())
        at = stack.enter_context(address())
        plane = stack.enter_context(control_plane(folder / "plane", at))
        stack.enter_context(_dns(plane))
        volumes = [_volume(folder / "volumes" / f"volume{each}") for each in range(_VOLUMES)]
        sent = yaml.safe_dump_all([_STORAGE, *volumes])
        plane.kubectl("create", "--filename", "-", sent=sent)
        here = stack.enter_context(node(plane, folder / "node"))
        stack.enter_context(enforced_policies(plane))
        yield Cluster(plane, f"http://{ADDRESS}:30080", here)


def _volume(folder: Path) -> dict[str, Any]:
    """Return a volume, in a folder that every user may write to.

    Those of the controller manager's provisioner are for root alone.
    """
    folder.mkdir()
    folder.chmod(0o777)
    spec = {
        "storageClassName": "standard",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "10Gi"},
        "hostPath": {"path": str(folder)},
    }
    kind = {"apiVersion": "v1", "kind": "PersistentVolume"}
    return kind | {"metadata": {"name": folder.name}, "spec": spec}


@contextmanager
def _dns(plane: ControlPlane) -> Iterator[None]:
    """Answer for the names of Services at the node's address."""
    corefile = plane.folder / "Corefile"
    corefile.write_text(f"""\
.:53 {{
    bind {ADDRESS}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {plane.kubeconfig}
    }}
}}
""")
    with program(plane.folder, [str(require_program("coredns"))], {"conf": corefile}):
        yield
