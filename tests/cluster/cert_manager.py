"""cert-manager with an authority in place of Let's Encrypt.

Its controllers run beside a cluster of the tests' own. A named cluster has them already.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.cluster.archives import write_image
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, program
from tests.cluster.definitions import CERT_MANAGER, definitions
from tests.cluster.named import lacks
from tests.cluster.node import ADDRESS, Node
from tests.cluster.programs import require_program

NAMES = f"{ADDRESS}:8053"  # where the hosts of challenges are looked up
_NAMESPACE = "cert-manager"
_SOLVER = "docker.io/pokewatch/acmesolver:1"
_AUTHORITY = "authority"


@contextmanager
def cert_manager(cluster: Cluster, issuer: str) -> Iterator[None]:
    """Provide a ClusterIssuer whose authority is new."""
    plane = cluster.plane
    with controllers(plane, cluster.own) if cluster.own else _found_controllers(plane, issuer):
        sent = yaml.safe_dump_all(_issuers(issuer))
        plane.kubectl("apply", "--filename", "-", sent=sent)
        try:
            ready = (f"clusterissuer/{issuer}", "--for=condition=Ready", "--timeout=120s")
            plane.kubectl("wait", *ready)
            yield
        finally:
            plane.kubectl("delete", "--filename", "-", sent=sent)


@contextmanager
def controllers(plane: ControlPlane, node: Node) -> Iterator[None]:
    """Run the controllers, with an image of what answers challenges on the node."""
    archive = node.folder / "acmesolver.tar"
    write_image(archive, _SOLVER, require_program("acmesolver"), "/acmesolver", user="10001")
    node.import_image(archive)
    kinds = yaml.safe_dump_all(definitions(*CERT_MANAGER))
    plane.kubectl("apply", "--server-side", "--filename", "-", sent=kinds)
    plane.kubectl("create", "namespace", _NAMESPACE)
    options = {
        "kubeconfig": plane.kubeconfig,
        "cluster-resource-namespace": _NAMESPACE,
        "acme-http01-solver-image": _SOLVER,
        "acme-http01-solver-nameservers": NAMES,
    }
    with program(plane.folder, [str(require_program("cert-manager-controllers"))], options):
        yield


@contextmanager
def _found_controllers(plane: ControlPlane, issuer: str) -> Iterator[None]:
    if not plane.has("customresourcedefinition", "clusterissuers.cert-manager.io"):
        lacks("cert-manager")
    if plane.has("clusterissuer", issuer):
        pytest.skip(f"the cluster has a ClusterIssuer {issuer} of its own")
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
