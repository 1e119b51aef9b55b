"""The rendered overlays keep every rule, and every rule finds what it is for."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.settings import GatewaySettings, ServingSettings
from tests.conftest import ROOT
from tests.k8s import rules
from tests.k8s.rendering import APPLIED, K8S, OVERLAYS, rendered_jobs, rendered_overlay
from tests.k8s.rules import Manifest, Rule

CUSTOM = ("gateway.networking.k8s.io/", "gateway.envoyproxy.io/")  # see test_edge.py

MADE_BEFOREHAND = {
    "local": [
        {
            "kind": "Secret",
            "metadata": {"namespace": "pokewatch", "name": "gateway-keys"},
            "data": {"keys.sqlite": ""},
        }
    ],
    "production": list(
        yaml.safe_load_all((K8S / "overlays" / "production" / "secrets.example.yaml").read_text())
    ),
    "monitoring": list(
        yaml.safe_load_all((K8S / "monitoring" / "secrets.example.yaml").read_text())
    ),
}


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Manifest]]:
    """The rendered manifests; the overlays with the Jobs of the make targets."""
    return {
        name: [*rendered_overlay(folder), *(rendered_jobs().values() if name in OVERLAYS else [])]
        for name, folder in APPLIED.items()
    }


def _faults(rule: Rule, manifests: list[Manifest], overlay: str) -> list[str]:
    if rule is rules.references_exist:
        return list(rules.references_exist(manifests, MADE_BEFOREHAND[overlay]))
    return list(rule(manifests))


@pytest.mark.parametrize("overlay", APPLIED)
@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_what_is_applied_keeps_every_rule(
    rule: Rule, overlay: str, rendered: dict[str, list[Manifest]]
) -> None:
    assert _faults(rule, rendered[overlay], overlay) == []


def _one(manifests: list[Manifest], kind: str, name: str) -> Any:
    """Return the manifest of this name, which may end in the hash of its content."""
    named = re.compile(rf"{re.escape(name)}(-[a-z0-9]{{10}})?")
    return next(
        each
        for each in manifests
        if each["kind"] == kind and named.fullmatch(each["metadata"].get("name", ""))
    )


def _container(manifests: list[Manifest], name: str) -> Any:
    return _one(manifests, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]


def _drop(kind: str, name: str) -> Callable[[list[Manifest]], None]:
    return lambda manifests: manifests.remove(_one(manifests, kind, name))


def _set(kind: str, name: str, path: str, value: Any) -> Callable[[list[Manifest]], None]:
    def change(manifests: list[Manifest]) -> None:
        found = _one(manifests, kind, name)
        *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        for part in way:
            found = found[part]
        found[last] = value

    return change


_POD = "spec/template/spec"
_MAIN = f"{_POD}/containers/0"
BROKEN = {
    "a Service that selects nobody": (
        rules.selectors_match_labels,
        _set("Service", "gateway", "spec/selector", {"app": "x"}),
        "which no pod has",
    ),
    "a budget for nobody": (
        rules.selectors_match_labels,
        _set("PodDisruptionBudget", "mlserver", "spec/selector/matchLabels", {"app": "x"}),
        "no pod",
    ),
    "a spread over nobody": (
        rules.selectors_match_labels,
        _set(
            "Deployment",
            "gateway",
            f"{_POD}/topologySpreadConstraints/0/labelSelector/matchLabels",
            {"app": "x"},
        ),
        "no pod",
    ),
    "an autoscaler of nothing": (
        rules.autoscalers_have_targets,
        _set("HorizontalPodAutoscaler", "gateway", "spec/scaleTargetRef/name", "gatway"),
        "not there",
    ),
    "replicas beside an autoscaler": (
        rules.autoscalers_have_targets,
        _set("Deployment", "gateway", "spec/replicas", 2),
        "names its replicas",
    ),
    "a route to nowhere": (rules.routes_have_targets, _drop("Service", "gateway"), "leads to"),
    "a route to another port": (
        rules.routes_have_targets,
        _set("HTTPRoute", "gateway", "spec/rules/0/backendRefs/0/port", 8000),
        "leads to",
    ),
    "a route of no listener": (
        rules.routes_have_targets,
        _set("HTTPRoute", "gateway", "spec/parentRefs/0/sectionName", "tls"),
        "hangs on",
    ),
    "a policy for no route": (
        rules.routes_have_targets,
        _set("BackendTrafficPolicy", "gateway", "spec/targetRefs/0/name", "api"),
        "is for",
    ),
    "a Service port nobody declares": (
        rules.ports_have_listeners,
        _set("Service", "redis", "spec/ports/0/targetPort", "resp"),
        "nobody declares",
    ),
    "a probe of an undeclared port": (
        rules.ports_have_listeners,
        _set("Deployment", "gateway", f"{_MAIN}/readinessProbe/httpGet/port", "web"),
        "not declared",
    ),
    "a port that is not listened on": (
        rules.ports_have_listeners,
        _set("Deployment", "gateway", f"{_MAIN}/ports/0/containerPort", 8080),
        "listens on 8000",
    ),
    "a probe of no route": (
        rules.probes_ask_real_routes,
        _set("Deployment", "gateway", f"{_MAIN}/livenessProbe/httpGet/path", "/healthz"),
        "no route",
    ),
    "no readiness probe": (
        rules.probes_ask_real_routes,
        lambda found: _container(found, "redis").pop("readinessProbe"),
        "has not both probes",
    ),
    "a missing ConfigMap": (
        rules.references_exist,
        _drop("ConfigMap", "gateway"),
        "uses ConfigMap gateway",
    ),
    "a missing key": (
        rules.references_exist,
        _set("Deployment", "gateway", f"{_MAIN}/env/0/valueFrom/secretKeyRef/key", "uri"),
        "uses uri of Secret redis",
    ),
    "a missing account": (
        rules.references_exist,
        _drop("ServiceAccount", "mlserver"),
        "runs as mlserver",
    ),
    "a mount of no volume": (
        rules.references_exist,
        _set("Deployment", "gateway", f"{_MAIN}/volumeMounts/0/name", "key"),
        "no volume",
    ),
    "no default deny": (
        rules.every_service_port_is_let_in,
        _drop("NetworkPolicy", "default-deny"),
        "does not deny by default",
    ),
    "a port without a policy": (
        rules.every_service_port_is_let_in,
        _drop("NetworkPolicy", "redis"),
        "no policy lets anybody in",
    ),
    "no limits": (
        rules.containers_are_locked_down,
        lambda found: _container(found, "redis")["resources"].pop("limits"),
        "has no limits of cpu",
    ),
    "root": (
        rules.containers_are_locked_down,
        _set("Deployment", "gateway", f"{_POD}/securityContext/runAsUser", 0),
        "runAsUser",
    ),
    "a writable root file system": (
        rules.containers_are_locked_down,
        _set("Deployment", "mlserver", f"{_MAIN}/securityContext/readOnlyRootFilesystem", False),
        "readOnlyRootFilesystem",
    ),
    "a token": (
        rules.containers_are_locked_down,
        _set("Deployment", "mlflow", f"{_POD}/automountServiceAccountToken", True),
        "automountServiceAccountToken",
    ),
    "MLServer to the world": (
        rules.only_the_gateway_faces_outward,
        _set("Service", "mlserver", "spec/type", "LoadBalancer"),
        "is a LoadBalancer",
    ),
    "a quota that is too small": (
        rules.quotas_hold_the_largest_size,
        _set("ResourceQuota", "pokewatch", "spec/hard/requests.cpu", "4"),
        "less cpu",
    ),
}


@pytest.mark.parametrize(("rule", "breaks", "expected"), BROKEN.values(), ids=BROKEN)
def test_each_rule_finds_its_violation(
    rule: Rule,
    breaks: Callable[[list[Manifest]], None],
    expected: str,
    rendered: dict[str, list[Manifest]],
) -> None:
    manifests = deepcopy(rendered["production"])
    breaks(manifests)
    assert any(expected in fault for fault in _faults(rule, manifests, "production"))


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, *_ in BROKEN.values()} == set(rules.RULES)


def test_the_ports_and_routes_that_the_rules_know_are_those_of_the_code() -> None:
    serving, gateway = ServingSettings.read(), GatewaySettings.read()
    metrics = GatewaySettings.model_fields[
        "gateway_metrics_port"
    ].default  # the tests' own is any free one
    assert rules.PORTS["gateway"] == {"http": gateway.gateway_port, "metrics": metrics}
    assert rules.PORTS["serving"] == {
        "http": serving.mlserver_http_port,
        "grpc": serving.mlserver_grpc_port,
        "metrics": serving.mlserver_metrics_port,
    }
    assert rules.ROUTES["gateway"] <= {
        operation.path
        for operation in OPERATIONS
        if operation.method == "GET" and operation.scope is None
    }


@pytest.mark.parametrize("version", [pytest.param("1.31", marks=pytest.mark.slow), "1.37"])
@pytest.mark.parametrize("overlay", APPLIED)
def test_the_schemas_of_kubernetes_take_them(
    overlay: str, version: str, rendered: dict[str, list[Manifest]]
) -> None:
    for manifest in rendered[overlay]:
        if not manifest["apiVersion"].startswith(CUSTOM):
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_is_refused_by_the_schemas(rendered: dict[str, list[Manifest]]) -> None:
    manifests = deepcopy(rendered["production"])
    _container(manifests, "gateway")["readynessProbe"] = {}
    gateway = _one(manifests, "Deployment", "gateway")
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(gateway, "1.31", strict=True)


def test_sizes_of_the_fleet(rendered: dict[str, list[Manifest]]) -> None:
    sizes = {
        each["metadata"]["name"]: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
        for each in rendered["production"]
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    assert sizes == {"mlserver": (2, 10), "gateway": (2, 5)}


def test_the_local_overlay_is_reached_at_30080_and_pulls_nothing_of_ours(
    rendered: dict[str, list[Manifest]],
) -> None:
    service = _one(rendered["local"], "Service", "gateway")
    assert (service["spec"]["type"], service["spec"]["ports"][0]["nodePort"]) == ("NodePort", 30080)
    assert {
        _container(rendered["local"], name)["imagePullPolicy"]
        for name in ("gateway", "mlserver", "mlflow")
    } == {"Never"}


def test_the_flows_find_what_the_manifests_make(rendered: dict[str, list[Manifest]]) -> None:
    config = json.loads((ROOT / "flows" / "configs" / "cluster.json").read_text())
    manifests = rendered["local"]
    assert (
        _one(manifests, "ServiceAccount", config["service_account"])["metadata"]["namespace"]
        == config["namespace"]
    )
    assert [
        _one(manifests, "Secret", name)["metadata"]["namespace"] for name in config["secrets"]
    ] == [config["namespace"]]
    _, _, service, namespace = (
        config["environment"]["POKEWATCH_MLSERVER_URLS"]
        .replace(".svc", "")
        .replace(".", "/")
        .replace(":8080", "")
        .split("/")
    )
    assert _one(manifests, "Service", service)["spec"]["clusterIP"] == "None"
    assert _one(manifests, "Service", service)["metadata"]["namespace"] == namespace
