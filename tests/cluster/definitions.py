"""The definitions of custom kinds, from the Go modules of those who make them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.k8s.rules import Manifest
from tests.tools import require_tool

# Module with its version, which docs/kubernetes.md names, and the folder in it.
GATEWAY_API = ("sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard")
ENVOY_GATEWAY = (
    "github.com/envoyproxy/gateway@v1.9.1",
    "charts/gateway-helm/charts/crds/crds/generated",
)
CERT_MANAGER = ("github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds")
ARGO = ("github.com/argoproj/argo-workflows/v4@v4.0.5", "manifests/base/crds/full")


def definitions(module: str, folder: str) -> Iterator[Manifest]:
    """Yield the CustomResourceDefinitions in a folder of a Go module."""
    command = [require_tool("go"), "mod", "download", "-json", module]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for path in sorted((Path(json.loads(done.stdout)["Dir"]) / folder).glob("*.yaml")):
        for found in yaml.safe_load_all(path.read_text()):
            if found and found["kind"] == "CustomResourceDefinition":
                yield found
