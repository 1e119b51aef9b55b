"""Connections that network policies are tried with: what the system needs, and what none needs."""

from tests.k8s.rules import ACME, PORTS
from tests.k8s.traffic import Endpoint

Connection = tuple[str, str, int]  # source, target, port

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
    "acme": Endpoint("pokewatch", {ACME: "true"}, {"http": 8089}),
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
        ("proxy", "acme", 8089),
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
    ("step", "mlserver", 8081),
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
    ("acme", "internet", 443),
    ("acme", "mlflow", 5000),
    *[
        ("stranger", target, port)
        for target, port in (
            ("gateway", 8000),
            ("gateway", 8083),
            ("acme", 8089),
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
