"""What docs/kubernetes.md forwards is what is reached, by the addresses that the pods use."""

import base64
import json
import re
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT
from tests.k8s.rendering import APPLIED, rendered_overlay
from tests.k8s.rules import Manifest
from tests.test_documented_commands import Documented, everywhere

PAGE = ROOT / "docs" / "kubernetes.md"
FORWARDS = [each for each in everywhere("kubectl") if "port-forward" in each.words]


@pytest.fixture(scope="module")
def local() -> list[Manifest]:
    return rendered_overlay(APPLIED["local"])


@pytest.fixture(scope="module")
def exported() -> dict[str, str]:
    """The variables that a user has after the exports of the page."""
    exports = re.findall(r"^    export ([A-Z].*)", PAGE.read_text(), re.MULTILINE)
    script = "\n".join([*(f"export {each}" for each in exports), "env"])
    done = subprocess.run(
        ["sh", "-euc", script], env={}, capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def _forwarded(command: Documented) -> tuple[str, str, int]:
    """Return the namespace, the Service and its port that a command forwards."""
    (found,) = re.findall(
        r"(?:-n|--namespace) (\S+) port-forward service/(\S+) (\d+)", " ".join(command.words)
    )
    namespace, service, port = found
    return namespace, service, int(port)


def _one(manifests: list[Manifest], kind: str, namespace: str, name: str) -> Any:
    """Return the manifest of this name, which may end in the hash of its content."""
    (found,) = (
        each
        for each in manifests
        if (each["kind"], each["metadata"].get("namespace")) == (kind, namespace)
        and re.fullmatch(rf"{name}(-[a-z0-9]{{10}})?", each["metadata"]["name"])
    )
    return found


@pytest.mark.parametrize("command", FORWARDS, ids=str)
def test_a_forwarded_port_is_one_of_the_service(command: Documented, local: list[Manifest]) -> None:
    namespace, name, port = _forwarded(command)
    manifests = [*local, *rendered_overlay(APPLIED["monitoring"])]
    service = _one(manifests, "Service", namespace, name)
    assert port in {each["port"] for each in service["spec"]["ports"]}


def test_the_addresses_are_those_of_the_pods(
    exported: dict[str, str], local: list[Manifest]
) -> None:
    config = json.loads((ROOT / "flows" / "configs" / "cluster.json").read_text())
    assert exported["MLFLOW_TRACKING_URI"] == config["environment"]["MLFLOW_TRACKING_URI"]
    assert exported["METAFLOW_KUBERNETES_NAMESPACE"] == config["namespace"]
    registry = _one(local, "ConfigMap", "pokewatch", "mlflow")["data"]
    assert exported["METAFLOW_S3_ENDPOINT_URL"] == registry["MLFLOW_S3_ENDPOINT_URL"]
    secret = _one(local, "Secret", "pokewatch-flows", "pokewatch-pipeline")["data"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert exported[name] == base64.b64decode(secret[name]).decode()


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", "METAFLOW_S3_ENDPOINT_URL"])
def test_an_address_leads_to_the_forwarded_port(variable: str, exported: dict[str, str]) -> None:
    url = urlsplit(exported[variable])
    name, namespace = str(url.hostname).removesuffix(".svc").split(".")
    forwarded = {_forwarded(each) for each in FORWARDS if each.page == PAGE.name}
    assert (namespace, name, url.port) in forwarded
    (line,) = re.findall(r"`127\.0\.0\.1 (.*)` in /etc/hosts", PAGE.read_text())
    assert url.hostname in line.split()


def test_the_registry_answers_to_that_address(
    exported: dict[str, str], local: list[Manifest]
) -> None:
    """MLflow refuses requests for other hosts."""
    mlflow = _one(local, "Deployment", "pokewatch", "mlflow")
    (container,) = mlflow["spec"]["template"]["spec"]["containers"]
    (allowed,) = (each for each in container["args"] if each.startswith("--allowed-hosts="))
    assert urlsplit(exported["MLFLOW_TRACKING_URI"]).netloc in allowed.partition("=")[2].split(",")
