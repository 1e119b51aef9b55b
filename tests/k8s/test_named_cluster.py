"""What the tests on a user-named cluster leave there: definitions of kinds, and nothing else."""

from pathlib import Path

import pytest
import yaml

from tests.cluster import named
from tests.k8s.kubectl import Kubectl
from tests.k8s.rendering import APPLIED, rendered_overlay

KINDS: dict[str, tuple[str, int | str]] = {
    "get customresourcedefinition": ("customresourcedefinition/gatewayclasses\n", 0),
}
CLASS: dict[str, tuple[str, int | str]] = {
    "get gatewayclasses": ("gatewayclass.gateway.networking.k8s.io/pokewatch\n", 0),
}


@pytest.fixture(scope="module")
def of_no_namespace() -> set[tuple[str, str]]:
    """Kind and name of what the overlays have that is not in a namespace."""
    plurals = {"Namespace": "namespaces", "GatewayClass": "gatewayclasses"}
    return {
        (plurals[each["kind"]], each["metadata"]["name"])
        for overlay in APPLIED.values()
        for each in rendered_overlay(overlay)
        if "namespace" not in each["metadata"]
    }


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """A kubectl for a cluster that a file names."""
    found = Kubectl(tmp_path)
    (tmp_path / "given").write_text("")
    monkeypatch.setattr(named, "_FILE", str(tmp_path / "given"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("KUBECTL_FOLDER", str(tmp_path))
    return found


def _answer(kubectl: Kubectl, answers: dict[str, tuple[str, int | str]]) -> None:
    config = yaml.safe_dump({"clusters": [{"cluster": {"server": "http://127.0.0.1:1"}}]})
    kubectl.answer({"config view": (config, 0), **answers})


def _deleted(kubectl: Kubectl) -> set[tuple[str, str]]:
    """Return kind and name of every object that was deleted."""
    found = set()
    for call, _ in kubectl.calls():
        words = [word for word in call.split() if not word.startswith("--")]
        if "delete" in words:
            kind, *names = words[words.index("delete") + 1 :]
            found |= {(kind.partition(".")[0], name) for name in names}
    return found


def test_what_the_overlays_have_outside_namespaces_is_deleted(
    of_no_namespace: set[tuple[str, str]], kubectl: Kubectl, tmp_path: Path
) -> None:
    _answer(kubectl, KINDS)
    with named.named_control_plane(tmp_path):
        pass
    assert _deleted(kubectl) == of_no_namespace | {("namespaces", "pokewatch-tests")}


def test_a_cluster_that_knows_no_gateway_classes_is_not_asked_for_one(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    unknown: tuple[str, int | str] = ("the server doesn't have a resource type", 1)
    _answer(kubectl, {"gatewayclasses pokewatch": unknown})
    with named.named_control_plane(tmp_path):
        pass
    assert {kind for kind, _ in _deleted(kubectl)} == {"namespaces"}


def test_a_cluster_that_has_the_gateway_class_is_in_use(kubectl: Kubectl, tmp_path: Path) -> None:
    """Else that of its owner would be deleted."""
    _answer(kubectl, {**KINDS, **CLASS})
    fault = "a cluster in use, with gatewayclass.gateway.networking.k8s.io/pokewatch"
    with pytest.raises(pytest.fail.Exception, match=fault), named.named_control_plane(tmp_path):
        pass
    assert _deleted(kubectl) == set()
