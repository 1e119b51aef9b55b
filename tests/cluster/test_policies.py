"""The network policies, enforced by kube-router and tried between pods."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.named import is_named
from tests.cluster.networks import (
    OUTSIDE,
    address_of,
    connects,
    listening,
    namespace_of,
    outside,
    wait_for_each,
)
from tests.cluster.node import PAUSE
from tests.cluster.own import own_cluster
from tests.k8s.connections import FORBIDDEN, NEEDED, NEEDED_OF, PODS, Connection
from tests.k8s.rendering import APPLIED, OVERLAYS, rendered_overlay
from tests.k8s.rules import Manifest
from tests.k8s.traffic import Endpoint

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

# The node's pods have IPv4 addresses.
ADDRESSES = {name: each.address for name, each in PODS.items() if "." in each.address}
TRIED = [
    each
    for each in chain(NEEDED, FORBIDDEN, *NEEDED_OF.values())
    if not any(":" in PODS[name].address for name in each[:2])
]
# kube-router counts pods among address blocks: the local overlay lets any address to the gateway.
ANY_POD = {"local": [("stranger", "gateway", 8000)], "production": []}


@dataclass(frozen=True)
class Networks:
    """The address and the network namespace of every endpoint."""

    addresses: Mapping[str, str]
    namespaces: Mapping[str, str]

    def passing(self, tried: list[Connection]) -> list[Connection]:
        """Return the connections that are made."""
        found = set()
        for source in dict.fromkeys(each[0] for each in tried):
            own = [each for each in tried if each[0] == source]
            local = ADDRESSES.get(source, "")
            calls = [(local, self.addresses[target], port) for _, target, port in own]
            made = connects(self.namespaces[source], calls)
            found |= {each for each, fine in zip(own, made, strict=True) if fine}
        return [each for each in tried if each in found]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if is_named():
        pytest.skip("needs a node of the tests' own: connections are tried from inside its pods")
    with own_cluster(tmp_path_factory.mktemp("c")) as found:
        yield found


@pytest.fixture(scope="module")
def networks(cluster: Cluster) -> Iterator[Networks]:
    """Pods that do nothing, in the namespaces and with the labels and ports of the real ones."""
    plane = cluster.plane
    pods = {name: each for name, each in PODS.items() if not each.address}
    wanted = [_namespace(each) for each in dict.fromkeys(pod.namespace for pod in pods.values())]
    wanted += [_pod(name, each) for name, each in pods.items()]
    plane.kubectl("apply", "--filename", "-", sent=yaml.safe_dump_all(wanted))
    addresses = ADDRESSES | {
        name: address_of(plane, each.namespace, _hyphenated(name)) for name, each in pods.items()
    }
    with ExitStack() as stack:
        stack.enter_context(outside(list(ADDRESSES.values())))
        found = dict.fromkeys(ADDRESSES, OUTSIDE)
        found |= {name: namespace_of(addresses[name]) for name in pods}
        ports: dict[str, set[int]] = {}
        for _, target, port in TRIED:
            ports.setdefault(found[target], set()).add(port)
        for namespace, numbers in ports.items():
            stack.enter_context(listening(namespace, sorted(numbers)))
        yield Networks(addresses, found)


def test_without_policies_everything_passes(networks: Networks) -> None:
    """Else a connection that fails says nothing of a policy."""
    assert networks.passing(TRIED) == TRIED


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest, cluster: Cluster, networks: Networks) -> Iterator[str]:
    """The policies of an overlay and of the monitoring, enforced."""
    name = str(request.param)
    rendered = (*rendered_overlay(APPLIED[name]), *rendered_overlay(APPLIED["monitoring"]))
    policies = [each for each in rendered if each["kind"] == "NetworkPolicy"]
    sent = yaml.safe_dump_all(policies)
    plane = cluster.plane
    plane.kubectl("apply", "--filename", "-", sent=sent)
    forbidden = [each for each in FORBIDDEN if each not in ANY_POD[name]]
    wait_for_each(networks.passing, forbidden, made=False)
    yield name
    plane.kubectl("delete", "--filename", "-", sent=sent)


def test_what_the_system_needs_passes(networks: Networks, overlay: str) -> None:
    needed = [each for each in (*NEEDED, *NEEDED_OF[overlay]) if each in TRIED]
    wait_for_each(networks.passing, needed, made=True)
    assert networks.passing(needed) == needed


def test_nothing_else_does(networks: Networks, overlay: str) -> None:
    assert networks.passing(FORBIDDEN) == ANY_POD[overlay]


def _hyphenated(name: str) -> str:
    return name.replace(" ", "-")


def _namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _pod(name: str, endpoint: Endpoint) -> Manifest:
    ports = [{"name": each, "containerPort": number} for each, number in endpoint.ports.items()]
    container: dict[str, Any] = {"name": "pause", "image": PAUSE, "ports": ports}
    metadata = {"name": _hyphenated(name), "namespace": endpoint.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "labels": dict(endpoint.labels)},
        "spec": {"containers": [{**container, "imagePullPolicy": "Never"}]},
    }
