"""cert-manager's controllers beside the cluster, with an authority in place of Let's Encrypt."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from tests.cluster.control_plane import ControlPlane, program
from tests.cluster.definitions import CERT_MANAGER, definitions
from tests.cluster.programs import require_program

_NAMESPACE = "cert-manager"
_AUTHORITY = "authority"


@contextmanager
def cert_manager(plane: ControlPlane, issuer: str) -> Iterator[None]:
    """Run the controllers, and give them a ClusterIssuer whose authority is new."""
    kinds = yaml.safe_dump_all(definitions(*CERT_MANAGER))
    plane.kubectl("apply", "--server-side", "--filename", "-", sent=kinds)
    plane.kubectl("create", "namespace", _NAMESPACE)
    options = {"kubeconfig": plane.kubeconfig, "cluster-resource-namespace": _NAMESPACE}
    with program(plane.folder, [str(require_program("cert-manager"))], options):
        sent = yaml.safe_dump_all(_issuers(issuer))
        plane.kubectl("apply", "--filename", "-", sent=sent)
        ready = (f"clusterissuer/{issuer}", "--for=condition=Ready", "--timeout=120s")
        plane.kubectl("wait", *ready)
        yield


def authority(plane: ControlPlane) -> str:
    """Return the certificate of the authority, as PEM."""
    found = plane.get("secret", _AUTHORITY, "--namespace", _NAMESPACE)
    return base64.b64decode(found["data"]["tls.crt"]).decode()


def _issuers(issuer: str) -> list[dict[str, Any]]:
    def cluster_issuer(name: str, spec: dict[str, Any]) -> dict[str, Any]:
        kind = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer"}
        return kind | {"metadata": {"name": name}, "spec": spec}

    root = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": _AUTHORITY, "namespace": _NAMESPACE},
        "spec": {
            "isCA": True,
            "commonName": _AUTHORITY,
            "secretName": _AUTHORITY,
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {"kind": "ClusterIssuer", "name": "itself"},
        },
    }
    return [
        cluster_issuer("itself", {"selfSigned": {}}),
        root,
        cluster_issuer(issuer, {"ca": {"secretName": _AUTHORITY}}),
    ]
