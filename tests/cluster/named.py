"""The cluster that POKEWATCH_TEST_KUBECONFIG names, such as one of kind or minikube.

It is not KUBECONFIG, which may name a cluster that is in use: the tests create namespaces and
custom kinds, and delete the namespaces afterwards.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.cluster.control_plane import ControlPlane

VARIABLE = "POKEWATCH_TEST_KUBECONFIG"
NAMESPACES = ("pokewatch", "pokewatch-flows", "monitoring")


def is_named() -> bool:
    """Return whether the tests are to use a cluster that there is."""
    return bool(os.environ.get(VARIABLE))


@contextmanager
def named_control_plane(folder: Path) -> Iterator[ControlPlane]:
    """The control plane of the current context, which has none of our namespaces yet."""
    given = ControlPlane(folder, url="", token="")
    given.kubeconfig.write_text(Path(os.environ[VARIABLE]).read_text())
    one = given.kubectl("config", "view", "--raw", "--flatten", "--minify")
    given.kubeconfig.write_text(one)
    found = ControlPlane(folder, yaml.safe_load(one)["clusters"][0]["cluster"]["server"], token="")
    known = found.kubectl("get", "namespaces", *NAMESPACES, "--ignore-not-found", "--output=name")
    if known:
        pytest.fail(f"{VARIABLE} names a cluster in use, with {', '.join(known.split())}")
    try:
        yield found
    finally:
        found.kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found", "--timeout=300s")
