"""Who may reach whom under the network policies of each overlay."""

from typing import Any

import pytest

from tests.k8s.rendering import APPLIED, OVERLAYS, rendered_overlay
from tests.k8s.rules import PORTS, Manifest
from tests.k8s.traffic import Endpoint, lets_through

NAME = "app.kubernetes.io/name"


def _pod(namespace: str, name: str, ports: dict[str, int] | None = None) -> Endpoint:
    return Endpoint(namespace, {NAME: name}, ports or {})


PODS = {
    "gateway": _pod("pokewatch", "gateway", PORTS["gateway"]),
    "mlserver": _pod("pokewatch", "mlserver", PORTS["serving"]),
    "mlflow": _pod("pokewatch", "mlflow", PORTS["pipeline"]),
    "postgres": _pod("pokewatch", "postgres", {"postgres": 5432}),
    "redis": _pod("pokewatch", "redis", {"redis": 6379}),
    "minio": _pod("pokewatch", "minio", {"s3": 9000}),
    "step": _pod("pokewatch-flows", "metaflow-task"),
    "rollback": _pod("pokewatch-flows", "rollback"),
    "prometheus": _pod("monitoring", "prometheus", {"http": 9090}),
    "alertmanager": _pod("monitoring", "alertmanager", {"http": 9093}),
    "grafana": _pod("monitoring", "grafana", {"http": 3000}),
    "proxy": Endpoint(
        "envoy-gateway-system", {NAME: "envoy", "app.kubernetes.io/component": "proxy"}
    ),
    "stranger": _pod("default", "stranger"),
    "coredns": Endpoint("kube-system", {"k8s-app": "kube-dns"}),
    "dns elsewhere": Endpoint("openshift-dns", {"dns": "default"}),
    "dns on the node": Endpoint(address="169.254.20.10"),
    "internet": Endpoint(address="198.51.100.7"),
    "internet, IPv6": Endpoint(address="2001:db8::7"),
    "node": Endpoint(address="192.168.49.1"),
}
PULLED = ("gateway", "mlserver", "mlflow", "step", "prometheus", "alertmanager")
NEEDED = [
    *[(source, "coredns", 53) for source in PULLED],
    *[(source, "dns elsewhere", 5353) for source in PULLED],
    *[(source, "dns on the node", 53) for source in PULLED],
    ("gateway", "mlserver", 8080),
    ("gateway", "redis", 6379),
    ("gateway", "postgres", 5432),
    ("gateway", "internet", 5432),
    ("mlserver", "mlflow", 5000),
    ("mlflow", "postgres", 5432),
    ("mlflow", "internet", 5432),
    *[(source, "mlflow", 5000) for source in ("step", "rollback")],
    *[(source, "mlserver", 8080) for source in ("step", "rollback")],
    *[(source, "mlserver", 8082) for source in ("step", "rollback")],
    ("step", "postgres", 5432),
    ("step", "internet", 5432),
    *[("step", outside, 443) for outside in ("internet", "internet, IPv6")],
    ("step", "internet", 6443),
    ("step", "internet", 587),
    ("prometheus", "gateway", 8083),
    ("prometheus", "mlserver", 8082),
    ("prometheus", "alertmanager", 9093),
    ("grafana", "prometheus", 9090),
    ("alertmanager", "internet", 443),
    ("alertmanager", "internet", 587),
    ("proxy", "grafana", 3000),
]
NEEDED_OF = {
    "production": [
        ("proxy", "gateway", 8000),
        ("mlflow", "internet", 443),
        ("mlflow", "internet, IPv6", 443),
    ],
    "local": [("node", "gateway", 8000), ("mlflow", "minio", 9000), ("step", "minio", 9000)],
}
FORBIDDEN = [
    ("gateway", "mlflow", 5000),
    ("gateway", "internet", 443),
    ("gateway", "mlserver", 8082),
    ("gateway", "mlserver", 8081),
    ("mlserver", "postgres", 5432),
    ("mlserver", "redis", 6379),
    ("mlserver", "internet", 443),
    ("mlserver", "internet", 5432),
    ("mlserver", "gateway", 8000),
    ("mlflow", "mlserver", 8080),
    ("postgres", "internet", 443),
    ("redis", "internet", 443),
    ("step", "redis", 6379),
    ("step", "gateway", 8000),
    ("step", "internet", 80),
    ("prometheus", "gateway", 8000),
    ("prometheus", "mlserver", 8080),
    ("prometheus", "postgres", 5432),
    ("prometheus", "internet", 443),
    ("proxy", "gateway", 8083),
    ("proxy", "mlserver", 8080),
    ("proxy", "prometheus", 9090),
    ("node", "mlserver", 8080),
    ("internet", "step", 8080),
    *[
        ("stranger", target, port)
        for target, port in (
            ("gateway", 8000),
            ("gateway", 8083),
            ("mlserver", 8080),
            ("mlserver", 8082),
            ("mlflow", 5000),
            ("postgres", 5432),
            ("redis", 6379),
            ("prometheus", 9090),
            ("step", 8080),
        )
    ],
]


@pytest.fixture(scope="module")
def policies() -> dict[str, list[Manifest]]:
    """The policies of each overlay, with those of the monitoring beside it."""
    monitoring = rendered_overlay(APPLIED["monitoring"])
    return {
        overlay: [
            each
            for each in (*rendered_overlay(APPLIED[overlay]), *monitoring)
            if each["kind"] == "NetworkPolicy"
        ]
        for overlay in OVERLAYS
    }


def _passes(policies: list[Manifest], connection: tuple[str, str, int]) -> bool:
    source, target, port = connection
    return lets_through(policies, PODS[source], PODS[target], port)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_the_system_needs_passes(overlay: str, policies: dict[str, list[Manifest]]) -> None:
    needed = [*NEEDED, *NEEDED_OF[overlay]]
    assert [each for each in needed if not _passes(policies[overlay], each)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_else_does(overlay: str, policies: dict[str, list[Manifest]]) -> None:
    assert [each for each in FORBIDDEN if _passes(policies[overlay], each)] == []


def test_the_way_in_is_the_overlays_own(policies: dict[str, list[Manifest]]) -> None:
    assert not _passes(policies["production"], ("node", "gateway", 8000))
    assert not _passes(policies["production"], ("mlflow", "minio", 9000))
    assert not _passes(policies["local"], ("mlflow", "internet", 443))


def test_names_are_looked_up_by_udp_too(policies: dict[str, list[Manifest]]) -> None:
    for source in PULLED:
        assert lets_through(
            policies["production"], PODS[source], PODS["coredns"], 53, protocol="UDP"
        )


def test_an_s3_of_ones_own_is_one_patch(policies: dict[str, list[Manifest]]) -> None:
    """The policy `s3` alone names it, in both namespaces."""

    def patched(each: Manifest) -> Manifest:
        if each["metadata"]["name"] != "s3":
            return each
        rule: dict[str, Any] = {
            "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}],
            "ports": [{"protocol": "TCP", "port": 9000}],
        }
        return {**each, "spec": {**each["spec"], "egress": [rule]}}

    found = [patched(each) for each in policies["production"]]
    store = Endpoint(address="203.0.113.9")
    for name in ("mlflow", "step"):
        assert lets_through(found, PODS[name], store, 9000)
    assert not lets_through(found, PODS["mlserver"], store, 9000)
    assert not lets_through(found, PODS["mlflow"], PODS["internet"], 443)
