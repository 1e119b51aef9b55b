"""A cluster of its own: control plane, node, DNS and Argo, with what it needs outside beside it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.archives import write_image
from tests.cluster.control_plane import ControlPlane, control_plane, program
from tests.cluster.definitions import ARGO, definitions
from tests.cluster.kube_router import enforced_policies
from tests.cluster.node import ADDRESS, Node, address, node
from tests.cluster.programs import require_program
from tests.s3 import running as running_s3

_EXECUTOR = "docker.io/pokewatch/argoexec:1"

_ARGO_SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "workflow-controller-configmap"},
}
_STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "standard",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "kubernetes.io/host-path",
}


@dataclass(frozen=True)
class OwnCluster:
    plane: ControlPlane
    node: Node
    s3: str


@contextmanager
def own_cluster(folder: Path) -> Iterator[OwnCluster]:
    """Run a cluster, and an S3 with empty buckets at an address that its pods reach."""
    for name in ("plane", "node"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        at = stack.enter_context(address())
        plane = stack.enter_context(control_plane(folder / "plane", at))
        s3 = stack.enter_context(running_s3("0.0.0.0")).replace("127.0.0.1", ADDRESS)
        stack.enter_context(_dns(plane))
        plane.kubectl("create", "--filename", "-", sent=yaml.safe_dump(_STORAGE))
        here = stack.enter_context(node(plane, folder / "node"))
        stack.enter_context(enforced_policies(plane))
        yield OwnCluster(plane, here, s3)


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


@contextmanager
def argo(cluster: OwnCluster) -> Iterator[None]:
    """Run Argo's workflow controller, with an image of its executor on the node."""
    plane = cluster.plane
    kinds = yaml.safe_dump_all(definitions(*ARGO))
    plane.kubectl("apply", "--server-side", "--filename", "-", sent=kinds)
    archive = cluster.node.folder / "argoexec.tar"
    write_image(archive, _EXECUTOR, require_program("argoexec"), "/bin/argoexec")
    cluster.node.import_image(archive)
    plane.kubectl("apply", "--filename", "-", sent=yaml.safe_dump(_ARGO_SETTINGS))
    options = {
        "kubeconfig": plane.kubeconfig,
        "executor-image": _EXECUTOR,
        "executor-image-pull-policy": "Never",
        "managed-namespace": "pokewatch-flows",
        "namespaced": "true",
    }
    binary = str(require_program("workflow-controller"))
    with program(plane.folder, [binary], options, LEADER_ELECTION_DISABLE="true"):
        yield
