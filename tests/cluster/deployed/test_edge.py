"""The way in of the production overlay, by a real Envoy Gateway."""

import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.cluster.control_plane import ControlPlane
from tests.cluster.envoy_gateway import NAMESPACE, install
from tests.cluster.own import OwnCluster
from tests.cluster.system import System
from tests.k8s.rendering import K8S, rendered_overlay
from tests.polling import eventually
from tests.tools import require_tool

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

HOST = "pokewatch.example.com"
HERE = ("--namespace", "pokewatch")
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def address(system: System, cluster: OwnCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the proxies, with the route and the policy of the production overlay."""
    folder, plane = tmp_path_factory.mktemp("edge"), cluster.plane
    install(cluster, folder)
    _certificate(plane, folder)
    edge = (K8S / "overlays" / "production" / "edge.yaml").read_text()
    plane.kubectl("apply", "--server-side", "--filename", "-", sent=edge)
    policies = [
        each
        for each in rendered_overlay(K8S / "overlays" / "production")
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "gateway"
    ]
    plane.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--filename",
        "-",
        sent=yaml.safe_dump_all(policies),
    )
    service = eventually(lambda: _service(plane), bool, seconds=300, every=1)[0]
    found = str(service["spec"]["clusterIP"])
    # what a cloud's balancer does
    status = f'{{"status": {{"loadBalancer": {{"ingress": [{{"ip": "{found}"}}]}}}}}}'
    name = service["metadata"]["name"]
    patch = ("--subresource=status", "--type", "merge", "--patch", status)
    plane.kubectl("patch", "service", name, *patch, "--namespace", NAMESPACE)
    accepted = ("gateway/edge", "--for=condition=Programmed", "--timeout=300s")
    plane.kubectl("wait", *accepted, *HERE)
    eventually(
        lambda: _get(found, "/health").status_code, lambda code: code == 200, seconds=120, every=1
    )
    return found


def test_every_object_is_accepted(address: str, cluster: OwnCluster) -> None:
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


def test_http_is_redirected(address: str) -> None:
    answer = httpx.get(f"http://{address}/cards?limit=1", headers={"Host": HOST})
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://{HOST}/cards?limit=1"


def test_it_answers_with_a_price(address: str, system: System) -> None:
    headers = {"X-API-Key": system.key}
    card = _get(address, "/cards?limit=1", headers).json()["cards"][0]["card_id"]
    answer = _send(address, "/fair_price", headers, json={"card_id": card})
    assert answer.status_code == 200
    assert answer.json()["fair_price"] > 0
    assert _get(address, "/ready").status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/v2/repository/index", "/v2/health", "/nothing"])
def test_other_paths_stay_inside(path: str, address: str) -> None:
    answer = _get(address, path)
    assert answer.status_code == 404
    assert "x-request-id" not in answer.headers  # Envoy's own answer, not the gateway's


def test_an_escaped_slash_is_refused(address: str) -> None:
    assert _get(address, "/cards%2F..%2Fmetrics").status_code == 400


def test_bodies_are_limited(address: str, system: System) -> None:
    headers = {"X-API-Key": system.key, "Content-Type": "application/json"}
    by_envoy = _send(address, "/fair_price", headers, content=b" " * (4 * MIB + 1))
    assert (by_envoy.status_code, by_envoy.headers["content-type"]) == (413, "text/plain")
    by_the_gateway = _send(address, "/fair_price", headers, content=b" " * (4 * MIB))
    assert by_the_gateway.status_code == 413
    assert by_the_gateway.headers["content-type"] == "application/problem+json"


def test_an_upgrade_is_not_forwarded(address: str) -> None:
    request = f"GET /health HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with (
        socket.create_connection((address, 443)) as raw,
        _untrusting().wrap_socket(raw, server_hostname=HOST) as secure,
    ):
        secure.sendall(request.encode())
        status = secure.recv(65536).split(b"\r\n")[0]
    assert b" 101 " not in status


def _get(address: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return _send(address, path, headers or {}, method="GET")


def _send(
    address: str, path: str, headers: dict[str, str], method: str = "POST", **content: Any
) -> httpx.Response:
    sent = {"Host": HOST, **headers}
    with httpx.Client(verify=False, timeout=30) as client:
        named = {"sni_hostname": HOST}
        url = f"https://{address}{path}"
        return client.request(method, url, headers=sent, extensions=named, **content)


def _untrusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _certificate(plane: ControlPlane, folder: Path) -> None:
    """Make what cert-manager makes."""
    key, certificate = folder / "tls.key", folder / "tls.crt"
    command = [require_tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={HOST}"]
    subprocess.run(command, check=True, capture_output=True)
    files = (f"--cert={certificate}", f"--key={key}")
    plane.kubectl("create", "secret", "tls", "gateway-tls", *files, *HERE)


def _service(plane: ControlPlane) -> list[dict[str, Any]]:
    selector = "gateway.envoyproxy.io/owning-gateway-name=edge"
    found: list[dict[str, Any]] = plane.get(
        "services", "--namespace", NAMESPACE, "--selector", selector
    )["items"]
    return found
