"""The way in of the production overlay, by a real Envoy Gateway."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.cluster.acme_server import ISSUER, acme_issuer
from tests.cluster.cert_manager import authority, cert_manager
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane
from tests.cluster.envoy_gateway import NAMESPACE, provide
from tests.cluster.forwarding import forwarded
from tests.cluster.system import System
from tests.k8s.rendering import K8S, rendered_overlay
from tests.polling import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

HOST = "pokewatch.example.com"
HERE = ("--namespace", "pokewatch")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Edge:
    """The proxies' ports, and the authority whose certificates are trusted."""

    http: str
    https: str
    trusted: ssl.SSLContext

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.send(path, headers or {}, method="GET")

    def send(
        self, path: str, headers: dict[str, str], method: str = "POST", **content: Any
    ) -> httpx.Response:
        sent = {"Host": HOST, **headers}
        with httpx.Client(verify=self.trusted, timeout=30) as client:
            named = {"sni_hostname": HOST}
            url = f"https://{self.https}{path}"
            return client.request(method, url, headers=sent, extensions=named, **content)

    def connect(self) -> ssl.SSLSocket:
        """Return a connection, once its certificate is verified."""
        host, _, port = self.https.partition(":")
        raw = socket.create_connection((host, int(port)))
        return self.trusted.wrap_socket(raw, server_hostname=HOST)


@pytest.fixture(scope="module")
def edge(
    system: System, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    """The way in of the production overlay, and its policy."""
    plane = cluster.plane
    provide(cluster, tmp_path_factory.mktemp("edge"))
    applied = (K8S / "overlays" / "production" / "edge.yaml").read_text()
    with ExitStack() as stack:
        stack.enter_context(cert_manager(cluster, issuer="letsencrypt"))
        plane.kubectl("apply", "--server-side", "--filename", "-", sent=applied)
        stack.callback(plane.kubectl, "delete", "--filename", "-", sent=applied)
        _apply_policy(plane, K8S / "overlays" / "production")
        stack.callback(_apply_policy, plane, system.manifests / "overlays" / "local")
        service = _balanced(plane)
        accepted = ("gateway/edge", "--for=condition=Programmed", "--timeout=300s")
        plane.kubectl("wait", *accepted, *HERE)
        http, https = (
            stack.enter_context(forwarded(plane, NAMESPACE, service, port)) for port in (80, 443)
        )
        found = Edge(http, https, ssl.create_default_context(cadata=authority(plane)))
        eventually(lambda: _answers(found), bool, seconds=120, every=1)
        yield found


def _apply_policy(plane: ControlPlane, overlay: Path) -> None:
    """Let in to the gateway what an overlay lets in."""
    policies = [
        each
        for each in rendered_overlay(overlay)
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "gateway"
    ]
    options = ("--server-side", "--force-conflicts", "--filename", "-")
    plane.kubectl("apply", *options, sent=yaml.safe_dump_all(policies))


def _balanced(plane: ControlPlane) -> str:
    """Return the name of the proxies' Service, which has the address of a balancer."""
    service = eventually(lambda: _services(plane), bool, seconds=300, every=1)[0]
    name = str(service["metadata"]["name"])
    if "ingress" not in service["status"]["loadBalancer"]:
        # what a cloud's balancer does
        address = service["spec"]["clusterIP"]
        status = f'{{"status": {{"loadBalancer": {{"ingress": [{{"ip": "{address}"}}]}}}}}}'
        patch = ("--subresource=status", "--type", "merge", "--patch", status)
        plane.kubectl("patch", "service", name, *patch, "--namespace", NAMESPACE)
    return name


def _answers(edge: Edge) -> bool:
    try:
        return edge.get("/health").status_code == 200
    except httpx.TransportError:  # until the proxies listen
        return False


def test_every_object_is_accepted(edge: Edge, cluster: Cluster) -> None:
    plane = cluster.plane
    for name in ("to-https", "gateway"):
        (parent,) = plane.get("httproute", name, *HERE)["status"]["parents"]
        assert {each["type"]: each["status"] for each in parent["conditions"]} == {
            "Accepted": "True",
            "ResolvedRefs": "True",
        }
    for policy in ("clienttrafficpolicy/edge", "backendtrafficpolicy/gateway"):
        (ancestor,) = plane.get(policy, *HERE)["status"]["ancestors"]
        assert {each["type"]: each["status"] for each in ancestor["conditions"]} == {
            "Accepted": "True"
        }


def test_cert_manager_keeps_the_certificate(edge: Edge, cluster: Cluster) -> None:
    """Of the Gateway's host; a lost one is made again, and served without a restart."""
    certificate = cluster.plane.get("certificate", "gateway-tls", *HERE)
    assert certificate["spec"]["dnsNames"] == [HOST]
    before = _serial_number(edge)
    cluster.plane.kubectl("delete", "secret", "gateway-tls", *HERE)
    eventually(lambda: _serial_number(edge), lambda now: now not in (before, ""), seconds=120)
    assert edge.get("/health").status_code == 200


def test_a_real_acme_server_issues_the_certificate(edge: Edge, cluster: Cluster) -> None:
    """Its challenge passes the redirect of port 80, the proxies and the network policies."""
    if cluster.own is None:
        pytest.skip("Pebble runs beside a cluster of the tests' own")
    plane = cluster.plane
    (service,) = _services(plane)
    with acme_issuer(plane, service["spec"]["clusterIP"]) as trusted:
        _issue_by(plane, ISSUER)
        served = replace(edge, trusted=trusted)
        eventually(lambda: _answers(served), bool, seconds=300, every=1)
        _issue_by(plane, "letsencrypt")
        eventually(lambda: _answers(edge), bool, seconds=120, every=1)


def _issue_by(plane: ControlPlane, issuer: str) -> None:
    annotation = f"cert-manager.io/cluster-issuer={issuer}"
    plane.kubectl("annotate", "--overwrite", "gateway/edge", annotation, *HERE)


def test_http_is_redirected(edge: Edge) -> None:
    answer = httpx.get(f"http://{edge.http}/cards?limit=1", headers={"Host": HOST})
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://{HOST}/cards?limit=1"


def test_it_answers_with_a_price(edge: Edge, system: System) -> None:
    headers = {"X-API-Key": system.key}
    card = edge.get("/cards?limit=1", headers).json()["cards"][0]["card_id"]
    answer = edge.send("/fair_price", headers, json={"card_id": card})
    assert answer.status_code == 200
    assert answer.json()["fair_price"] > 0
    assert edge.get("/ready").status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/v2/repository/index", "/v2/health", "/nothing"])
def test_other_paths_stay_inside(path: str, edge: Edge) -> None:
    answer = edge.get(path)
    assert answer.status_code == 404
    assert "x-request-id" not in answer.headers  # Envoy's own answer, not the gateway's


def test_an_escaped_slash_is_refused(edge: Edge) -> None:
    assert edge.get("/cards%2F..%2Fmetrics").status_code == 400


def test_bodies_are_limited(edge: Edge, system: System) -> None:
    headers = {"X-API-Key": system.key, "Content-Type": "application/json"}
    by_envoy = edge.send("/fair_price", headers, content=b" " * (4 * MIB + 1))
    assert (by_envoy.status_code, by_envoy.headers["content-type"]) == (413, "text/plain")
    by_the_gateway = edge.send("/fair_price", headers, content=b" " * (4 * MIB))
    assert by_the_gateway.status_code == 413
    assert by_the_gateway.headers["content-type"] == "application/problem+json"


def test_an_upgrade_is_not_forwarded(edge: Edge) -> None:
    request = f"GET /health HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with edge.connect() as secure:
        secure.sendall(request.encode())
        status = secure.recv(65536).split(b"\r\n")[0]
    assert b" 101 " not in status


def _serial_number(edge: Edge) -> str:
    """Return that of the certificate that is served, "" while there is none."""
    try:
        with edge.connect() as secure:
            found = secure.getpeercert()
    except OSError:
        return ""
    return str(found["serialNumber"]) if found else ""


def _services(plane: ControlPlane) -> list[dict[str, Any]]:
    selector = "gateway.envoyproxy.io/owning-gateway-name=edge"
    found: list[dict[str, Any]] = plane.get(
        "services", "--namespace", NAMESPACE, "--selector", selector
    )["items"]
    return found
