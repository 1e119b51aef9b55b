"""The way in from outside: Gateway API in production."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from pokewatch.gateway.app import create_app
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.settings import GatewaySettings
from tests.cluster.definitions import ENVOY_GATEWAY, GATEWAY_API, definitions
from tests.k8s.rendering import K8S, rendered_overlay
from tests.k8s.rules import Manifest
from tests.k8s.test_rules import CUSTOM

DEFINITIONS = {
    "gateway.networking.k8s.io": GATEWAY_API,
    "gateway.envoyproxy.io": ENVOY_GATEWAY,
}


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return rendered_overlay(K8S / "overlays" / "production")


def _one(manifests: list[Manifest], kind: str, name: str) -> Any:
    (found,) = [
        each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name)
    ]
    return found["spec"]


def test_the_route_lets_through_the_gateways_paths_alone(
    production: list[Manifest], tmp_path: Path
) -> None:
    """Each route, and below a prefix nothing but routes with a parameter."""
    (rule,) = _one(production, "HTTPRoute", "gateway")["rules"]
    paths = {(each["path"]["value"], each["path"]["type"]) for each in rule["matches"]}
    app = create_app(GatewaySettings.read(pages="key"), KeyStore(tmp_path / "keys.sqlite"))
    routes = {route.path for route in app.routes}
    prefixes = {route.partition("/{")[0] for route in routes if "{" in route}
    exact = {
        route
        for route in routes
        if not any(f"{route}/".startswith(f"{prefix}/") for prefix in prefixes)
    }
    assert paths == {(path, "Exact") for path in exact} | {
        (path, "PathPrefix") for path in prefixes
    }
    assert len(rule["matches"]) == len(paths) <= 64  # the most that Gateway API allows in a rule


def test_the_example_of_an_issuer_answers_challenges_at_the_listener_without_tls(
    production: list[Manifest],
) -> None:
    file = K8S / "overlays" / "production" / "issuer.example.yaml"
    issuer = yaml.safe_load(file.read_text())
    (gateway,) = [each for each in production if each["kind"] == "Gateway"]
    named = gateway["metadata"]["annotations"]["cert-manager.io/cluster-issuer"]
    assert issuer["metadata"]["name"] == named
    (solver,) = issuer["spec"]["acme"]["solvers"]
    (parent,) = solver["http01"]["gatewayHTTPRoute"]["parentRefs"]
    place = {key: gateway["metadata"][key] for key in ("name", "namespace")}
    assert parent == {"kind": "Gateway", **place, "sectionName": "http"}


def test_without_tls_there_is_a_redirect_alone(production: list[Manifest]) -> None:
    edge = _one(production, "Gateway", "edge")
    protocols = {each["name"]: each["protocol"] for each in edge["listeners"]}
    assert protocols == {"http": "HTTP", "https": "HTTPS"}
    (rule,) = _one(production, "HTTPRoute", "to-https")["rules"]
    assert "backendRefs" not in rule
    assert [each["type"] for each in rule["filters"]] == ["RequestRedirect"]
    for name, listener in (("to-https", "http"), ("gateway", "https")):
        parents = _one(production, "HTTPRoute", name)["parentRefs"]
        assert [each["sectionName"] for each in parents] == [listener]


def test_cert_manager_makes_the_certificate(production: list[Manifest]) -> None:
    """It takes the names and the Secret from the listener, so both must be there."""
    (edge,) = [each for each in production if each["kind"] == "Gateway"]
    assert edge["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "letsencrypt"}
    (listener,) = [each for each in edge["spec"]["listeners"] if each["protocol"] == "HTTPS"]
    assert listener["tls"] == {"mode": "Terminate", "certificateRefs": [{"name": "gateway-tls"}]}
    assert listener["hostname"] in _one(production, "HTTPRoute", "gateway")["hostnames"]


def test_the_largest_request_that_the_gateway_takes_reaches_it(
    production: list[Manifest],
) -> None:
    """A buffer also keeps requests to upgrade from being forwarded."""
    buffer = _one(production, "BackendTrafficPolicy", "gateway")["requestBuffer"]
    settings = GatewaySettings.read()
    largest = max(settings.body_bytes, settings.collection_bytes)
    assert buffer == {"limit": f"{largest // 2**20}Mi"}
    assert largest % 2**20 == 0


def test_an_export_is_not_cut_off(production: list[Manifest]) -> None:
    """It may take minutes as a whole, but something of it comes all the time."""
    (rule,) = _one(production, "HTTPRoute", "gateway")["rules"]
    assert rule["timeouts"] == {"request": "0s"}
    idle = _one(production, "BackendTrafficPolicy", "gateway")["timeout"]["http"]
    assert float(idle["streamIdleTimeout"].removesuffix("s")) > max(
        GatewaySettings.read().collection_seconds, GatewaySettings.read().deadline_seconds
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_definitions_of_the_custom_kinds_take_them(production: list[Manifest]) -> None:
    schemas = {group: _schemas(*where) for group, where in DEFINITIONS.items()}
    custom = [each for each in production if each["apiVersion"].startswith(CUSTOM)]
    assert len(custom) == 6
    for each in custom:
        group, _, version = each["apiVersion"].partition("/")
        schema = schemas[group][each["kind"], version]
        jsonschema.validate(each["spec"], schema)
        misspelt = deepcopy(each["spec"]) | {"tagretRefs": []}
        with pytest.raises(jsonschema.ValidationError, match="tagretRefs"):
            jsonschema.validate(misspelt, schema)


def _schemas(module: str, folder: str) -> dict[tuple[str, str], Any]:
    """Return the schema of the spec of each kind and version that a Go module defines."""
    return {
        (found["spec"]["names"]["kind"], version["name"]): _strict(
            version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        )
        for found in definitions(module, folder)
        for version in found["spec"]["versions"]
    }


def _strict(schema: Any) -> Any:
    """Return the schema with no properties but those it names, as the API server checks them."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    checked = {key: _strict(value) for key, value in schema.items()}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    return checked | ({"additionalProperties": False} if named else {})
