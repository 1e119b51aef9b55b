"""What network policies let through, by their definition.

A pod that no policy selects may do everything; one that is selected may do what any of them allows.
Stricter than some network plugins in one thing: an address block never stands for a pod.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from tests.k8s.rules import Manifest


@dataclass(frozen=True)
class Endpoint:
    """A pod, or with `address` something that is none."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""


def lets_through(
    policies: Sequence[Manifest],
    source: Endpoint,
    target: Endpoint,
    port: int,
    protocol: str = "TCP",
) -> bool:
    """Return whether a connection from `source` to a port of `target` is allowed."""
    return all(ends_that_allow(policies, source, target, port, protocol))


def ends_that_allow(
    policies: Sequence[Manifest],
    source: Endpoint,
    target: Endpoint,
    port: int,
    protocol: str = "TCP",
) -> tuple[bool, bool]:
    """Return whether the policies of the source allow a connection, and those of the target."""
    return (
        _allowed(policies, "egress", source, target, target, port, protocol),
        _allowed(policies, "ingress", target, source, target, port, protocol),
    )


def _allowed(
    policies: Sequence[Manifest],
    direction: str,
    pod: Endpoint,
    peer: Endpoint,
    target: Endpoint,
    port: int,
    protocol: str,
) -> bool:
    """Return whether the policies of `pod` allow the `direction` to or from `peer`."""
    if pod.address:
        return True
    selecting = [
        each["spec"]
        for each in policies
        if each["metadata"]["namespace"] == pod.namespace
        and direction.capitalize() in each["spec"]["policyTypes"]
        and _selects(each["spec"]["podSelector"], pod.labels)
    ]
    peers = "to" if direction == "egress" else "from"
    return not selecting or any(
        any(_is_peer(each, peer, pod.namespace) for each in rule[peers])
        and any(_is_port(each, target, port, protocol) for each in rule["ports"])
        for spec in selecting
        for rule in spec.get(direction, [])
    )


def _is_peer(peer: Mapping[str, Any], other: Endpoint, namespace: str) -> bool:
    if "ipBlock" in peer:
        network = ip_network(peer["ipBlock"]["cidr"])
        return bool(other.address) and ip_address(other.address) in network
    if other.address:
        return False
    spaces = {"kubernetes.io/metadata.name": other.namespace}
    in_namespace = (
        _selects(peer["namespaceSelector"], spaces)
        if "namespaceSelector" in peer
        else other.namespace == namespace
    )
    return in_namespace and _selects(peer.get("podSelector", {}), other.labels)


def _is_port(allowed: Mapping[str, Any], target: Endpoint, port: int, protocol: str) -> bool:
    number = allowed["port"]
    number = target.ports.get(number) if isinstance(number, str) else number
    return bool(allowed["protocol"] == protocol and number == port)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    expressions: Iterable[Mapping[str, Any]] = selector.get("matchExpressions", [])
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in expressions
    )
