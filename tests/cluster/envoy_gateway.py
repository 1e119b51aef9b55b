"""Envoy Gateway in the cluster: that of the named cluster, or one from its module and a wheel."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.archives import write_image
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import ENVOY_GATEWAY, GATEWAY_API, definitions
from tests.cluster.named import lacks
from tests.cluster.node import Node
from tests.cluster.programs import require_program, version
from tests.cluster.system import build_debian

NAMESPACE = "envoy-gateway-system"
ENVOY_VERSION = "1.40.0"
_ENVOY = f"docker.io/envoyproxy/envoy:v{ENVOY_VERSION}"
_PORTS = {"grpc": 18000, "ratelimit": 18001, "wasm": 18002}


def provide(cluster: Cluster, folder: Path) -> None:
    """Install it on a cluster of the tests' own. It must be on a named one."""
    if cluster.own:
        _install(cluster.plane, cluster.own, folder)
    elif not cluster.plane.has("deployment", "envoy-gateway", "--namespace", NAMESPACE):
        lacks("Envoy Gateway")


def _install(plane: ControlPlane, node: Node, folder: Path) -> None:
    """Install the kinds, the controller, and the image of the proxies."""
    for each in (GATEWAY_API, ENVOY_GATEWAY):
        kinds = yaml.safe_dump_all(definitions(*each))
        plane.kubectl("apply", "--server-side", "--filename", "-", sent=kinds)
    image = f"docker.io/envoyproxy/gateway:{version('envoy-gateway')}"
    archive = folder / "envoy-gateway.tar"
    program = require_program("envoy-gateway")
    write_image(archive, image, program, "/usr/local/bin/envoy-gateway")
    node.import_image(archive)
    build_debian(node, "envoy", _ENVOY, folder, ENVOY_VERSION=ENVOY_VERSION)
    plane.kubectl("create", "namespace", NAMESPACE)
    certificates = [str(program), "certgen", "--disable-topology-injector"]
    around = {"KUBECONFIG": str(plane.kubeconfig), "ENVOY_GATEWAY_NAMESPACE": NAMESPACE}
    subprocess.run(certificates, env=os.environ | around, check=True, capture_output=True)
    plane.kubectl("apply", "--filename", "-", sent=yaml.safe_dump_all(_controller(image)))
    ready = ("rollout", "status", "deployment/envoy-gateway", "--timeout=300s")
    plane.kubectl(*ready, "--namespace", NAMESPACE)


def _controller(image: str) -> list[dict[str, Any]]:
    """The objects of its chart that a single replica needs."""
    metadata = {"name": "envoy-gateway", "namespace": NAMESPACE}
    labels = {"control-plane": "envoy-gateway"}
    account = {"kind": "ServiceAccount", **metadata}
    field = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    mounts = {"config": "/config", "certs": "/certs", "wasm": "/var/lib/eg/wasm"}
    container = {
        "name": "envoy-gateway",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["server", "--config-path=/config/envoy-gateway.yaml"],
        "env": [{"name": "ENVOY_GATEWAY_NAMESPACE", "valueFrom": field}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8081}, "periodSeconds": 1},
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
    }
    volumes = [
        {"name": "config", "configMap": {"name": "envoy-gateway"}},
        {"name": "certs", "secret": {"secretName": "envoy-gateway"}},
        {"name": "wasm", "emptyDir": {}},
    ]
    pod = {"serviceAccountName": "envoy-gateway", "containers": [container], "volumes": volumes}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "envoy-gateway"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [account],
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"envoy-gateway.yaml": json.dumps(_configuration(image))},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "selector": labels,
                "ports": [{"name": name, "port": port} for name, port in _PORTS.items()],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]


def _configuration(image: str) -> dict[str, Any]:
    envoy = {"envoyDeployment": {"container": {"image": _ENVOY}}}
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        "envoyProxy": {"provider": {"type": "Kubernetes", "kubernetes": envoy}},
        "provider": {
            "type": "Kubernetes",
            "kubernetes": {
                "shutdownManager": {"image": image},
                "proxyTopologyInjector": {"disabled": True},
            },
        },
    }
