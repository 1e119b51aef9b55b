"""The rights in the cluster, of the flows' pods and of nobody else.

A workload of PokeWatch needs none: only the containers of Argo beside the steps, and the steps that
start other flows, call the Kubernetes API.
"""

import json
from copy import deepcopy
from itertools import product

import pytest

from tests.conftest import ROOT
from tests.k8s.rendering import APPLIED, OVERLAYS, rendered_jobs, rendered_overlay
from tests.k8s.rules import Manifest

FLOWS = ("pokewatch-flows", "pokewatch-pipeline")
# What the account of the flows may do there, in Argo's API group, and who needs it.
NEEDED = {
    # Argo's container beside each step reports what the step returned
    ("create", "workflowtaskresults"): "the first result of a step",
    ("patch", "workflowtaskresults"): "its progress, and the results that follow",
    # Argo's agent makes the HTTP request of the exit hooks
    ("list", "workflowtasksets"): "the requests that are to be made",
    ("watch", "workflowtasksets"): "those that are added meanwhile",
    ("patch", "workflowtasksets/status"): "their answers",
    # the monitor and the flow of several markets start other flows
    ("get", "workflowtemplates"): "the template of a flow, for its parameters",
    ("create", "workflows"): "a run of it",
    ("get", "workflows"): "whether a run goes on, and how it ended",
}
# Kinds of objects that give rights.
GRANTING = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}

Right = tuple[str, str, str]  # verb, API group, resource


def rights(manifests: list[Manifest]) -> dict[tuple[str, str], set[Right]]:
    """Return the rights that each account has in its namespace. Raise ValueError for any other."""
    granting = [each for each in manifests if each["kind"] in GRANTING]
    roles = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each["rules"]
        for each in granting
        if each["kind"] == "Role"
    }
    found: dict[tuple[str, str], set[Right]] = {}
    for each in granting:
        kind, namespace = each["kind"], each["metadata"].get("namespace")
        if kind.startswith("Cluster"):
            raise ValueError(f"a {kind} holds in every namespace")
        if kind == "RoleBinding":
            role, (subject,) = each["roleRef"], each["subjects"]
            if role["kind"] != "Role":
                raise ValueError(f"the {role['kind']} {role['name']} is none of these manifests")
            if subject["kind"] != "ServiceAccount" or subject["namespace"] != namespace:
                raise ValueError(f"{subject} is no account of {namespace}")
            rules = roles[namespace, role["name"]]
            account = found.setdefault((namespace, subject["name"]), set())
            for rule in rules:
                if extra := rule.keys() - {"verbs", "apiGroups", "resources"}:
                    raise ValueError(f"a rule has {', '.join(extra)}")
                account |= set(product(rule["verbs"], rule["apiGroups"], rule["resources"]))
    return found


def _manifests(overlay: str) -> list[Manifest]:
    return [*rendered_overlay(APPLIED[overlay]), *rendered_jobs().values()]


EXPECTED = {FLOWS: {(verb, "argoproj.io", resource) for verb, resource in NEEDED}}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_flows_have_the_rights_that_they_need_and_nobody_has_others(overlay: str) -> None:
    assert rights(_manifests(overlay)) == EXPECTED


def test_the_pods_of_the_flows_use_that_account() -> None:
    config = json.loads((ROOT / "flows" / "configs" / "cluster.json").read_text())
    assert (config["namespace"], config["service_account"]) == FLOWS


def test_the_monitoring_has_no_rights() -> None:
    assert rights(_manifests("monitoring")) == {}


def test_a_right_more_or_less_or_for_another_account_is_found() -> None:
    given = _manifests("production")

    def changed(kind: str) -> tuple[list[Manifest], Manifest]:
        copy = deepcopy(given)
        return copy, next(each for each in copy if each["kind"] == kind)

    manifests, role = changed("Role")
    role["rules"][0]["verbs"].append("delete")
    assert rights(manifests)[FLOWS] - EXPECTED[FLOWS] == {
        ("delete", "argoproj.io", "workflowtaskresults")
    }
    manifests, role = changed("Role")
    dropped = role["rules"].pop()
    assert {resource for _, _, resource in EXPECTED[FLOWS] - rights(manifests)[FLOWS]} == set(
        dropped["resources"]
    )
    manifests, binding = changed("RoleBinding")
    binding["subjects"][0]["name"] = "default"
    assert rights(manifests).keys() == {("pokewatch-flows", "default")}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ClusterRoleBinding"},
        {"roleRef": {"kind": "ClusterRole", "name": "admin"}},
        {"subjects": [{"kind": "Group", "name": "system:authenticated", "namespace": ""}]},
    ],
    ids=["every namespace", "a role of the cluster", "a group"],
)
def test_rights_beyond_an_account_of_the_namespace_are_refused(change: Manifest) -> None:
    manifests = _manifests("production")
    binding = next(each for each in manifests if each["kind"] == "RoleBinding")
    with pytest.raises(ValueError, match=r"every namespace|none of these|no account of"):
        rights([*manifests, binding | change])
