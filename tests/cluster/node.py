"""A node of its own: containerd, kubelet and kube-proxy, with a route to each pod."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.archives import write_image
from tests.cluster.control_plane import PODS, ControlPlane, program
from tests.cluster.programs import require_program
from tests.polling import eventually
from tests.serving.server import free_ports
from tests.tools import require_tool

NAME = "here"
ADDRESS = "10.245.0.1"
_INTERFACE = "pokewatch0"
PAUSE = "docker.io/pokewatch/pause:1"
_NETWORKS = Path("/run/netns")


@dataclass(frozen=True)
class Node:
    folder: Path

    def import_image(self, archive: Path) -> None:
        """Make the images of a docker-archive known to the node."""

        socket_path = str(self.folder / "containerd.sock")
        command = [require_tool("ctr"), "--address", socket_path, "--namespace", "k8s.io"]
        command += ["images", "import", str(archive)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@contextmanager
def address() -> Iterator[str]:
    """An address of this machine that pods reach: of an interface that lasts as long."""
    if os.geteuid():
        pytest.skip("a node needs root")
    if Path("/sys/class/net", _INTERFACE).exists():
        pytest.fail(
            f"this machine has {_INTERFACE} already: a cluster of these tests is running, or was "
            "killed. End its programs, interfaces and network namespaces, or restart the machine"
        )
    subprocess.run(["ip", "link", "add", _INTERFACE, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", _INTERFACE], check=True)
        subprocess.run(["ip", "link", "set", _INTERFACE, "up"], check=True)
        yield ADDRESS
    finally:
        subprocess.run(["ip", "link", "delete", _INTERFACE], check=True)


@contextmanager
def node(plane: ControlPlane, folder: Path) -> Iterator[Node]:
    """Run the programs of a node, which has joined the cluster and is ready."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    found = Node(folder)
    with (
        program(folder, [require_tool("containerd")], _containerd(folder)),
        _ended_pods(found),
    ):
        pause = folder / "pause.tar"
        write_image(pause, PAUSE, require_program("pause"), "/pause")
        eventually(lambda: (folder / "containerd.sock").exists(), bool)
        found.import_image(pause)
        binary = str(require_program("node"))
        with (
            program(folder, [binary, "kubelet"], _kubelet(folder, plane)),
            program(folder, [binary, "kube-proxy"], _kube_proxy(plane)),
        ):
            plane.kubectl("wait", "--for=create", f"node/{NAME}", "--timeout=120s")
            plane.kubectl("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=120s")
            yield found
            plane.kubectl("delete", "node", NAME)


def _containerd(folder: Path) -> dict[str, Any]:
    (folder / "cni").mkdir()
    network = {
        "cniVersion": "0.4.0",
        "name": "pokewatch",
        "plugins": [
            {
                # routed, not bridged: Services work without br_netfilter
                "type": "ptp",
                "ipMasq": True,
                "ipam": {
                    "type": "host-local",
                    "subnet": PODS.replace("/16", "/24"),
                    "dataDir": str(folder / "ipam"),
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    (folder / "cni" / "10-pokewatch.conflist").write_text(json.dumps(network))
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    (folder / "containerd.toml").write_text(f"""\
version = 2
root = "{folder}/images"
state = "{folder}/state"
[grpc]
address = "{folder}/containerd.sock"
[{cri}]
sandbox_image = "{PAUSE}"
# without CAP_SYS_RESOURCE runc cannot lower it
restrict_oom_score_adj = true
[{cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{folder}/cni"
""")
    return {"config": folder / "containerd.toml"}


def _kubelet(folder: Path, plane: ControlPlane) -> dict[str, Any]:
    (health,) = free_ports(1)
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "healthzPort": health,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(folder / "pod-logs"),
        "syncFrequency": "5s",
    }
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(config))
    return {
        "config": folder / "kubelet.yaml",
        "kubeconfig": plane.kubeconfig,
        "root-dir": folder / "kubelet",
        "cert-dir": folder / "kubelet" / "pki",
        "hostname-override": NAME,
        "node-ip": ADDRESS,
    }


def _kube_proxy(plane: ControlPlane) -> dict[str, Any]:
    health, metrics = free_ports(2)
    return {
        "kubeconfig": plane.kubeconfig,
        "hostname-override": NAME,
        "proxy-mode": "iptables",
        "cluster-cidr": PODS,
        "healthz-bind-address": f"127.0.0.1:{health}",
        "metrics-bind-address": f"127.0.0.1:{metrics}",
        "conntrack-max-per-core": 0,
    }


@contextmanager
def _ended_pods(node: Node) -> Iterator[None]:
    """Stop the containers that are left, and unmount what they used."""
    try:
        yield
    finally:
        _clean(node)


def _clean(node: Node) -> None:
    base = ["ctr", "--address", str(node.folder / "containerd.sock"), "--namespace", "k8s.io"]
    listed = subprocess.run(
        [*base, "tasks", "list", "--quiet"], capture_output=True, text=True, check=False
    )
    for name in listed.stdout.split():
        subprocess.run([*base, "tasks", "kill", "--signal", "9", name], check=False)
    time.sleep(1)
    # `ip netns add` mounts the folder on itself, and hides what was mounted in it before.
    unmount = ["umount", "--lazy", str(_NETWORKS)]
    while subprocess.run(unmount, capture_output=True, check=False).returncode == 0:
        pass
    for space in _NETWORKS.glob("cni-*"):
        subprocess.run(["ip", "netns", "delete", space.name], check=False)
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    for target in reversed([line.split()[1] for line in mounts]):
        if target.startswith(f"{node.folder}/"):
            subprocess.run(["umount", "--lazy", target], check=False)
