"""metrics-server, for the autoscalers: one beside the cluster, or that of the named cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, program
from tests.cluster.named import lacks
from tests.cluster.node import ADDRESS
from tests.cluster.programs import require_program
from tests.serving.server import free_ports


@contextmanager
def metrics_server(cluster: Cluster) -> Iterator[None]:
    """Provide the metrics of pods."""
    if cluster.own:
        with _own_metrics_server(cluster.plane):
            yield
        return
    if not cluster.plane.has("apiservice", "v1beta1.metrics.k8s.io"):
        lacks("metrics-server")
    yield


@contextmanager
def _own_metrics_server(plane: ControlPlane) -> Iterator[None]:
    """Run it, registered with the API server."""
    (port,) = free_ports(1)
    options = {
        "kubeconfig": plane.kubeconfig,
        "authentication-kubeconfig": plane.kubeconfig,
        "authorization-kubeconfig": plane.kubeconfig,
        "authentication-tolerate-lookup-failure": "true",
        "cert-dir": plane.folder / "metrics-server",
        "bind-address": ADDRESS,
        "secure-port": port,
        "kubelet-insecure-tls": "true",
        "kubelet-preferred-address-types": "InternalIP",
        "kubelet-request-timeout": "8s",
        "metric-resolution": "10s",
    }
    registered = yaml.safe_dump_all(_registration(port))
    plane.kubectl("apply", "--filename", "-", sent=registered)
    with program(plane.folder, [str(require_program("metrics-server"))], options):
        available = ("--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io")
        plane.kubectl("wait", *available, "--timeout=120s")
        yield
    plane.kubectl("delete", "--filename", "-", sent=registered)


def _registration(port: int) -> list[dict[str, object]]:
    name = {"name": "metrics-server", "namespace": "kube-system"}
    # The API server of these tests has no certificate for the servers behind it, so it is nobody.
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "metrics"}
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "metrics"},
            "rules": [
                {
                    "apiGroups": ["metrics.k8s.io"],
                    "resources": ["pods", "nodes"],
                    "verbs": ["get", "list", "watch"],
                },
                {"nonResourceURLs": ["/apis/metrics.k8s.io/*"], "verbs": ["get"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "metrics"},
            "roleRef": role,
            "subjects": [{"kind": "User", "name": "system:anonymous"}],
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": name,
            "spec": {"ports": [{"name": "https", "port": 443, "targetPort": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": name | {"labels": {"kubernetes.io/service-name": "metrics-server"}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": port}],
            "endpoints": [{"addresses": [ADDRESS]}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "service": name,
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "insecureSkipTLSVerify": True,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    ]
