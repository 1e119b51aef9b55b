"""Who may reach whom under the network policies of each overlay."""

from typing import Any

import pytest

from tests.k8s.connections import FORBIDDEN, NEEDED, NEEDED_OF, PODS, PULLED, Connection
from tests.k8s.rendering import APPLIED, OVERLAYS, rendered_overlay
from tests.k8s.rules import Manifest
from tests.k8s.traffic import Endpoint, ends_that_allow, lets_through


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


def _passes(policies: list[Manifest], connection: Connection) -> bool:
    source, target, port = connection
    return lets_through(policies, PODS[source], PODS[target], port)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_the_system_needs_passes(overlay: str, policies: dict[str, list[Manifest]]) -> None:
    needed = [*NEEDED, *NEEDED_OF[overlay]]
    assert [each for each in needed if not _passes(policies[overlay], each)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_else_does(overlay: str, policies: dict[str, list[Manifest]]) -> None:
    assert [each for each in FORBIDDEN if _passes(policies[overlay], each)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_pod_of_a_namespace_is_let_in_that_none_of_it_is_let_out_to(
    overlay: str, policies: dict[str, list[Manifest]]
) -> None:
    """A permission at one end alone is of no use, and looks as if it were needed."""
    closed = {each["metadata"]["namespace"] for each in policies[overlay]}
    ends = {
        (source.namespace, name, port): [
            ends_that_allow(policies[overlay], other, target, port)
            for other in PODS.values()
            if other.namespace == source.namespace
        ]
        for source in PODS.values()
        for name, target in PODS.items()
        for port in target.ports.values()
        if {source.namespace, target.namespace} <= closed
    }
    assert len(ends) > 20
    half_open = [
        where
        for where, found in ends.items()
        if any(let_in for _, let_in in found) and not any(map(all, found))
    ]
    assert half_open == []


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
