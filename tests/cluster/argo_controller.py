"""Argo's workflow controller: one that the tests start, or that of the named cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.cluster.archives import write_image
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, program
from tests.cluster.definitions import ARGO, definitions
from tests.cluster.named import lacks
from tests.cluster.node import Node
from tests.cluster.programs import require_program
from tests.polling import eventually

_EXECUTOR = "docker.io/pokewatch/argoexec:1"
_SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "workflow-controller-configmap"},
}
_FLOWS = ("--namespace", "pokewatch-flows")
# needs no pod
_TRIAL = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "trial"},
    "spec": {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]},
}


@contextmanager
def argo(cluster: Cluster) -> Iterator[None]:
    """Provide a controller of the workflows in the namespace of the flows."""
    if cluster.own:
        with _own_argo(cluster.plane, cluster.own):
            yield
        return
    if not _is_answered(cluster.plane):
        lacks("Argo Workflows")
    yield


def _is_answered(plane: ControlPlane) -> bool:
    """Return whether a controller takes up a workflow."""
    if not plane.has("customresourcedefinition", "workflows.argoproj.io"):
        return False
    plane.kubectl("create", "--filename", "-", *_FLOWS, sent=yaml.safe_dump(_TRIAL))
    try:
        eventually(lambda: "status" in plane.get("workflow", "trial", *_FLOWS), bool, every=1)
    except AssertionError:
        return False
    finally:
        plane.kubectl("delete", "workflow", "trial", *_FLOWS)
    return True


@contextmanager
def _own_argo(plane: ControlPlane, node: Node) -> Iterator[None]:
    """Run a controller, with an image of its executor on the node."""
    kinds = yaml.safe_dump_all(definitions(*ARGO))
    plane.kubectl("apply", "--server-side", "--filename", "-", sent=kinds)
    archive = node.folder / "argoexec.tar"
    write_image(archive, _EXECUTOR, require_program("argoexec"), "/bin/argoexec")
    node.import_image(archive)
    plane.kubectl("apply", "--filename", "-", sent=yaml.safe_dump(_SETTINGS))
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
