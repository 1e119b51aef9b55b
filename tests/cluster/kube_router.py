"""Network policies enforced on the node: kube-router, which does nothing else here."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.control_plane import SERVICES, ControlPlane, program
from tests.cluster.node import NAME
from tests.cluster.programs import require_program
from tests.serving.server import free_ports


@contextmanager
def enforced_policies(plane: ControlPlane) -> Iterator[None]:
    """Enforce the policies of all namespaces."""
    (health,) = free_ports(1)
    options = {
        "kubeconfig": plane.kubeconfig,
        "hostname-override": NAME,
        "run-firewall": "true",
        "run-router": "false",
        "run-service-proxy": "false",
        "enable-cni": "false",
        "service-cluster-ip-range": SERVICES,
        "health-port": health,
    }
    with program(plane.folder, [str(require_program("kube-router"))], options):
        yield
