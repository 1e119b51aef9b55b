"""Network policies enforced on the node: kube-router, which does nothing else here."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.control_plane import SERVICES, ControlPlane, program
from tests.cluster.node import NAME
from tests.cluster.programs import require_program
from tests.serving.server import free_ports
from tests.tools import require_tool

_CHAINS = ("KUBE-ROUTER-", "KUBE-POD-FW-", "KUBE-NWPLCY-")
_SETS = ("KUBE-SRC-", "KUBE-DST-", "kube-router-")


@contextmanager
def enforced_policies(plane: ControlPlane) -> Iterator[None]:
    """Enforce the policies of all namespaces."""
    for name in ("iptables-save", "ipset"):
        require_tool(name)
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
    try:
        with program(plane.folder, [str(require_program("kube-router"))], options):
            yield
    finally:
        _clean()


def _clean() -> None:
    """Remove its rules and address sets: its option `--cleanup-config` leaves them."""
    saved = subprocess.run(
        ["iptables-save", "--table", "filter"], capture_output=True, text=True, check=True
    )
    kept = [
        line for line in saved.stdout.splitlines() if not any(chain in line for chain in _CHAINS)
    ]
    restored = "\n".join(kept) + "\n"
    subprocess.run(["iptables-restore", "--table", "filter"], input=restored, text=True, check=True)
    listed = subprocess.run(["ipset", "list", "-name"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        if name.startswith(_SETS):
            subprocess.run(["ipset", "destroy", name], check=True)
