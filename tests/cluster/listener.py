"""A pod that takes the webhooks of notifications and prints them."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster.control_plane import ControlPlane
from tests.polling import eventually

NAMESPACE = "pokewatch-tests"
_NAME = "listener"
_PORT = 443  # the one that network policies let out to
_LISTEN = f"""\
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answers(BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass

HTTPServer(("", {_PORT}), Answers).serve_forever()
"""
ADDRESS = f"json://{_NAME}.{NAMESPACE}.svc:{_PORT}/hooks/s3cret"


@dataclass(frozen=True)
class Listener:
    plane: ControlPlane

    def titles(self) -> list[str]:
        """Return the titles of the notifications so far."""
        shown = self.plane.kubectl("logs", _NAME, "--namespace", NAMESPACE)
        return [str(json.loads(line)["title"]) for line in shown.splitlines()]


def start(plane: ControlPlane, image: str) -> Listener:
    """Start the pod, with the Python of an image that is on the node."""
    plane.kubectl("create", "namespace", NAMESPACE)
    plane.kubectl("apply", "--filename", "-", sent=yaml.safe_dump_all(_objects(image)))
    (status,) = eventually(lambda: _statuses(plane), bool, seconds=120, every=1)
    assert "waiting" not in status["state"], f"{image} is not on the node: {status['state']}"
    ready = (f"pod/{_NAME}", "--for=condition=Ready", "--timeout=120s")
    plane.kubectl("wait", *ready, "--namespace", NAMESPACE)
    return Listener(plane)


def _statuses(plane: ControlPlane) -> list[Any]:
    """Return the status of the pod's container, once it is made or cannot be."""
    found = plane.get("pod", _NAME, "--namespace", NAMESPACE)["status"]
    creating = {"waiting": {"reason": "ContainerCreating"}}
    return [each for each in found.get("containerStatuses", []) if each["state"] != creating]


def _objects(image: str) -> list[dict[str, Any]]:
    metadata = {"name": _NAME, "namespace": NAMESPACE, "labels": {"app": _NAME}}
    container = {
        "name": _NAME,
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", _LISTEN],
        "securityContext": {"runAsUser": 0},  # for the port
        "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
    }
    service = {"selector": {"app": _NAME}, "ports": [{"port": _PORT}]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": [container]},
        },
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    ]
