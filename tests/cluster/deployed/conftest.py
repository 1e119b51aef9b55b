"""One system, deployed once, for the tests of this folder."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster import listener as webhooks
from tests.cluster.cluster import Cluster
from tests.cluster.listener import Listener
from tests.cluster.named import is_named, named_cluster
from tests.cluster.own import own_cluster
from tests.cluster.system import System, image, load_images, manifests, run_script


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("c")
    with named_cluster(folder) if is_named() else own_cluster(folder) as found:
        if found.own:
            load_images(found.own, tmp_path_factory.mktemp("images"))
        yield found


@pytest.fixture(scope="package")
def listener(cluster: Cluster) -> Listener:
    """Where notifications go."""
    return webhooks.start(cluster.plane, image("pipeline"))


@pytest.fixture(scope="package")
def system(
    cluster: Cluster, listener: Listener, tmp_path_factory: pytest.TempPathFactory
) -> System:
    """The system after `make deploy` on an empty cluster."""
    copy = manifests(tmp_path_factory.mktemp("manifests"), webhooks.ADDRESS)
    started = time.monotonic()
    printed = run_script(copy, cluster, "deploy.sh", "local")
    return System(cluster, copy, printed, time.monotonic() - started)
