"""Ports of Services, forwarded to this machine by kubectl."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.control_plane import ControlPlane
from tests.tools import require_tool


@contextmanager
def forwarded(plane: ControlPlane, namespace: str, service: str, port: int) -> Iterator[str]:
    """Yield the address, as host:port, of one pod of a Service."""
    command = [require_tool("kubectl"), "--kubeconfig", str(plane.kubeconfig), "port-forward"]
    where = ["--namespace", namespace, f"service/{service}", f":{port}"]
    with subprocess.Popen([*command, *where], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        shown = process.stdout.readline()  # Forwarding from 127.0.0.1:40123 -> 9000
        assert shown, f"{service} of {namespace} cannot be forwarded"
        # it prints a line for each connection
        drained = threading.Thread(target=process.stdout.read)
        drained.start()
        try:
            yield shown.split()[2]
        finally:
            process.terminate()
            drained.join()
