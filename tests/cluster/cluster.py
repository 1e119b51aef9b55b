"""A cluster that the system is deployed to."""

from dataclasses import dataclass

from tests.cluster.control_plane import ControlPlane
from tests.cluster.node import Node


@dataclass(frozen=True)
class Cluster:
    plane: ControlPlane
    url: str  # of the gateway's NodePort
    own: Node | None = None  # the node of a cluster that the tests started
