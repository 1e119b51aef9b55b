"""`python -m tests.cluster`: a cluster of its own, until it is interrupted.

It has the images, Argo, metrics-server, Envoy Gateway and cert-manager. With what is printed in
their environment, tests use it as a named cluster, one run after another.
"""

import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.cluster import cert_manager, envoy_gateway
from tests.cluster.argo_controller import argo
from tests.cluster.metrics_server import metrics_server
from tests.cluster.named import VARIABLE
from tests.cluster.own import own_cluster
from tests.cluster.system import load_images


def main() -> None:
    # as SIGINT does, so that everything is removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-")))
        (folder / "images").mkdir()
        cluster = stack.enter_context(own_cluster(folder))
        assert cluster.own
        load_images(cluster.own, folder / "images")
        stack.enter_context(argo(cluster))
        stack.enter_context(metrics_server(cluster))
        envoy_gateway.provide(cluster, folder)
        # they need the kinds of Gateway API when they start
        stack.enter_context(cert_manager.controllers(cluster.plane, cluster.own))
        sys.stdout.write(f"{VARIABLE}={cluster.plane.kubeconfig}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
