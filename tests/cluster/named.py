"""The cluster that POKEWATCH_TEST_KUBECONFIG names, such as one of kind or minikube.

It is not KUBECONFIG, which may name a cluster that is in use: the tests create namespaces and
custom kinds, and delete all but the kinds afterwards. POKEWATCH_TEST_URL is the address of NodePort
30080, where that of the first node cannot be reached from here.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane
from tests.cluster.listener import NAMESPACE
from tests.tools import require_tool

VARIABLE = "POKEWATCH_TEST_KUBECONFIG"
# read before a test has an environment of its own
_FILE, _URL = (os.environ.get(name, "") for name in (VARIABLE, "POKEWATCH_TEST_URL"))
NAMESPACES = ("pokewatch", "pokewatch-flows", "monitoring", NAMESPACE)
# The one object of the overlays that is in no namespace.
GATEWAY_CLASS = ("gatewayclasses.gateway.networking.k8s.io", "pokewatch")


def is_named() -> bool:
    """Return whether the tests are to use a cluster that there is."""
    return bool(_FILE)


def server_version() -> str:
    """Return the version of its Kubernetes, "" where it does not answer."""
    command = [require_tool("kubectl"), "--kubeconfig", _FILE, "version"]
    done = subprocess.run([*command, "--output=json"], capture_output=True, text=True, check=False)
    return str(json.loads(done.stdout or "{}").get("serverVersion", {}).get("gitVersion", ""))


@contextmanager
def named_control_plane(folder: Path) -> Iterator[ControlPlane]:
    """The control plane of the current context, which has none of our namespaces yet."""
    given = ControlPlane(folder, url="", token="")
    given.kubeconfig.write_text(Path(_FILE).read_text())
    one = given.kubectl("config", "view", "--raw", "--flatten", "--minify")
    given.kubeconfig.write_text(one)
    found = ControlPlane(folder, yaml.safe_load(one)["clusters"][0]["cluster"]["server"], token="")
    options = ("--ignore-not-found", "--output=name")
    known = found.kubectl("get", "namespaces", *NAMESPACES, *options)
    if _has_gateway_classes(found):
        known += found.kubectl("get", *GATEWAY_CLASS, *options)
    if known:
        pytest.fail(f"{VARIABLE} names a cluster in use, with {', '.join(known.split())}")
    try:
        yield found
    finally:
        options = ("--ignore-not-found", "--timeout=300s")
        # first what uses the class: its controller keeps it until then
        found.kubectl("delete", "namespaces", *NAMESPACES, *options)
        if _has_gateway_classes(found):
            found.kubectl("delete", *GATEWAY_CLASS, *options)


@contextmanager
def named_cluster(folder: Path) -> Iterator[Cluster]:
    """The named cluster, whose nodes have the images of `make images`."""
    with named_control_plane(folder) as plane:
        yield Cluster(plane, _URL or _node_port(plane))


def _has_gateway_classes(plane: ControlPlane) -> bool:
    """Return whether the cluster knows the kind, which the tests may define themselves."""
    return plane.has("customresourcedefinition", GATEWAY_CLASS[0])


def _node_port(plane: ControlPlane) -> str:
    addresses = plane.get("nodes")["items"][0]["status"]["addresses"]
    found = [each["address"] for each in addresses if each["type"] == "InternalIP"]
    return f"http://{found[0]}:30080"


def lacks(part: str) -> None:
    """Skip the test for want of a part of the cluster.

    Fail where POKEWATCH_REQUIRE_TOOLS is set.
    """
    message = f"the cluster of {VARIABLE} has no {part}: docs/kubernetes.md names how to add it"
    if os.environ.get("POKEWATCH_REQUIRE_TOOLS"):
        pytest.fail(f"{message}, and POKEWATCH_REQUIRE_TOOLS is set")
    pytest.skip(message)
