"""Ports of Services, forwarded to this machine by kubectl."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.control_plane import ControlPlane
from tests.polling import eventually
from tests.serving.server import free_ports
from tests.tools import require_tool

# kubectl ends when the pod refuses a connection
_AGAIN = 'while :; do "$@"; sleep 0.1; done'


@contextmanager
def forwarded(plane: ControlPlane, namespace: str, service: str, port: int) -> Iterator[str]:
    """Yield the address, as host:port, of one pod of a Service."""
    (local,) = free_ports(1)
    command = [require_tool("kubectl"), "--kubeconfig", str(plane.kubeconfig), "port-forward"]
    command += ["--namespace", namespace, f"service/{service}", f"{local}:{port}"]
    process = subprocess.Popen(
        ["sh", "-c", _AGAIN, "sh", *command], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        eventually(lambda: _listens(local), bool)
        yield f"127.0.0.1:{local}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
