"""A real ACME server, Pebble, beside a cluster of the tests' own, and an issuer that uses it."""

import base64
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster.cert_manager import NAMES
from tests.cluster.control_plane import ControlPlane, program
from tests.cluster.node import ADDRESS
from tests.cluster.programs import require_program
from tests.k8s.rendering import K8S
from tests.polling import eventually
from tests.serving.server import free_ports
from tests.tools import require_tool

ISSUER = "acme"


@contextmanager
def acme_issuer(plane: ControlPlane, proxies: str) -> Iterator[ssl.SSLContext]:
    """Provide a ClusterIssuer whose challenges are answered by `proxies`, and trust in it.

    It is k8s/overlays/production/issuer.example.yaml with another server.
    """
    directory, management, of_names = free_ports(3)
    certificate = _server_certificate(plane.folder)
    names = {
        "dnsserver": NAMES,
        "defaultIPv4": proxies,
        "management": f"127.0.0.1:{of_names}",
        # a space leaves out what the server would answer itself
        **dict.fromkeys(("defaultIPv6", "http01", "https01", "doh", "tlsalpn01"), " "),
    }
    config = plane.folder / "pebble.json"
    config.write_text(json.dumps({"pebble": _pebble(directory, management, plane.folder)}))
    options = {"config": config, "dnsserver": NAMES}
    with ExitStack() as stack:
        challenges = [str(require_program("pebble-challtestsrv"))]
        stack.enter_context(program(plane.folder, challenges, names))
        server = [str(require_program("pebble"))]
        stack.enter_context(program(plane.folder, server, options, PEBBLE_VA_NOSLEEP="1"))
        root = _root(f"https://{ADDRESS}:{management}/roots/0", certificate)
        issuer = yaml.safe_dump(_issuer(f"https://{ADDRESS}:{directory}/dir", certificate))
        plane.kubectl("apply", "--filename", "-", sent=issuer)
        stack.callback(plane.kubectl, "delete", "--filename", "-", sent=issuer)
        ready = (f"clusterissuer/{ISSUER}", "--for=condition=Ready", "--timeout=120s")
        plane.kubectl("wait", *ready)
        yield ssl.create_default_context(cadata=root)


def _pebble(directory: int, management: int, folder: Path) -> dict[str, Any]:
    return {
        "listenAddress": f"{ADDRESS}:{directory}",
        "managementListenAddress": f"{ADDRESS}:{management}",
        "certificate": str(folder / "pebble.crt"),
        "privateKey": str(folder / "pebble.key"),
        "httpPort": 80,
        "tlsPort": 443,
    }


def _server_certificate(folder: Path) -> str:
    """Write key and certificate of the server itself, and return the certificate, as PEM."""
    command = [require_tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    command += ["-subj", "/CN=pebble", "-addext", f"subjectAltName=IP:{ADDRESS}"]
    command += ["-keyout", str(folder / "pebble.key"), "-out", str(folder / "pebble.crt")]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "pebble.crt").read_text()


def _root(url: str, certificate: str) -> str:
    """Return the certificate of the authority, which is new at each start."""
    trusted = ssl.create_default_context(cadata=certificate)

    def read() -> str:
        try:
            return httpx.get(url, verify=trusted).text
        except httpx.TransportError:  # until it listens
            return ""

    return eventually(read, bool, seconds=120)


def _issuer(directory: str, certificate: str) -> Any:
    shipped = (K8S / "overlays" / "production" / "issuer.example.yaml").read_text()
    found = yaml.safe_load(shipped)
    found["metadata"]["name"] = ISSUER
    bundle = base64.b64encode(certificate.encode()).decode()
    found["spec"]["acme"] |= {"server": directory, "caBundle": bundle}
    return found
