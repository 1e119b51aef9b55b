"""One system, deployed once, for the tests of this folder."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.node import ADDRESS
from tests.cluster.own import OwnCluster, own_cluster
from tests.cluster.system import System, load_images, manifests, run_script
from tests.monitoring.listener import Listener, listening


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    with own_cluster(tmp_path_factory.mktemp("c")) as found:
        load_images(found, tmp_path_factory.mktemp("images"))
        yield found


@pytest.fixture(scope="package")
def listener(cluster: OwnCluster) -> Iterator[Listener]:
    """Where notifications go: at a port that network policies let out to."""
    with listening(ADDRESS, 443) as found:
        yield found


@pytest.fixture(scope="package")
def system(
    cluster: OwnCluster, listener: Listener, tmp_path_factory: pytest.TempPathFactory
) -> System:
    """The system after `make deploy` on an empty cluster."""
    copy = manifests(cluster, tmp_path_factory.mktemp("manifests"), listener.address)
    started = time.monotonic()
    printed = run_script(copy, cluster, "deploy.sh", "local")
    return System(cluster, copy, printed, time.monotonic() - started)
