"""The way in of the production overlay, by a real Envoy Gateway."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import yaml

from tests.cluster.cert_manager import authority, cert_manager
from tests.cluster.control_plane import ControlPlane
from tests.cluster.envoy_gateway import NAMESPACE, install
from tests.cluster.own import OwnCluster
from tests.cluster.system import System
from tests.k8s.rendering import K8S, rendered_overlay
from tests.polling import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

HOST = "pokewatch.example.com"
HERE = ("--namespace", "pokewatch")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Edge:
    """The proxies, and the authority whose certificates are trusted."""

    address: str
    trusted: ssl.SSLContext

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.send(path, headers or {}, method="GET")

    def send(
        self, path: str, headers: dict[str, str], method: str = "POST", **content: Any
    ) -> httpx.Response:
        sent = {"Host": HOST, **headers}
        with httpx.Client(verify=self.trusted, timeout=30) as client:
            named = {"sni_hostname": HOST}
            url = f"https://{self.address}{path}"
            return client.request(method, url, headers=sent, extensions=named, **content)

    def connect(self) -> ssl.SSLSocket:
        """Return a connection, once its certificate is verified."""
        raw = socket.create_connection((self.address, 443))
        return self.trusted.wrap_socket(raw, server_hostname=HOST)


@pytest.fixture(scope="module")
def edge(
    system: System, cluster: OwnCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    """The way in of the production overlay, and its policy."""
    plane = cluster.plane
    install(cluster, tmp_path_factory.mktemp("edge"))
    with cert_manager(plane, issuer="letsencrypt"):
        applied = (K8S / "overlays" / "production" / "edge.yaml").read_text()
        plane.kubectl("apply", "--server-side", "--filename", "-", sent=applied)
        policies = [
            each
            for each in rendered_overlay(K8S / "overlays" / "production")
            if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "gateway"
        ]
        options = ("--server-side", "--force-conflicts", "--filename", "-")
        plane.kubectl("apply", *options, sent=yaml.safe_dump_all(policies))
        found = Edge(_balanced(plane), ssl.create_default_context(cadata=authority(plane)))
        accepted = ("gateway/edge", "--for=condition=Programmed", "--timeout=300s")
        plane.kubectl("wait", *accepted, *HERE)
        eventually(lambda: _answers(found), bool, seconds=120, every=1)
        yield found


def _balanced(plane: ControlPlane) -> str:
    """Return the address of the proxies, which their Service has once a balancer says so."""
    service = eventually(lambda: _service(plane), bool, seconds=300, every=1)[0]
    found = str(service["spec"]["clusterIP"])
    # what a cloud's balancer does
    status = f'{{"status": {{"loadBalancer": {{"ingress": [{{"ip": "{found}"}}]}}}}}}'
    name = service["metadata"]["name"]
    patch = ("--subresource=status", "--type", "merge", "--patch", status)
    plane.kubectl("patch", "service", name, *patch, "--namespace", NAMESPACE)
    return found


def _answers(edge: Edge) -> bool:
    try:
        return edge.get("/health").status_code == 200
    except httpx.TransportError:  # until the proxies listen
        return False


def test_every_object_is_accepted(edge: Edge, cluster: OwnCluster) -> None:
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


def test_cert_manager_keeps_the_certificate(edge: Edge, cluster: OwnCluster) -> None:
    """Of the Gateway's host; a lost one is made again, and served without a restart."""
    certificate = cluster.plane.get("certificate", "gateway-tls", *HERE)
    assert certificate["spec"]["dnsNames"] == [HOST]
    before = _serial_number(edge)
    cluster.plane.kubectl("delete", "secret", "gateway-tls", *HERE)
    eventually(lambda: _serial_number(edge), lambda now: now not in (before, ""), seconds=120)
    assert edge.get("/health").status_code == 200


def test_http_is_redirected(edge: Edge) -> None:
    answer = httpx.get(f"http://{edge.address}/cards?limit=1", headers={"Host": HOST})
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


def _service(plane: ControlPlane) -> list[dict[str, Any]]:
    selector = "gateway.envoyproxy.io/owning-gateway-name=edge"
    found: list[dict[str, Any]] = plane.get(
        "services", "--namespace", NAMESPACE, "--selector", selector
    )["items"]
    return found
