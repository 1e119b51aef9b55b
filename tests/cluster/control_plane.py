"""A control plane of its own: etcd, kube-apiserver, kube-controller-manager and kube-scheduler."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.cluster.programs import require_program
from tests.serving.server import free_ports
from tests.tools import require_tool

SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/16"


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane, and the files that its programs have."""

    folder: Path
    url: str
    token: str

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def kubectl(self, *arguments: str, sent: str = "", fails: bool = False) -> str:
        """Run kubectl and return its output, or standard error where it is to fail."""
        done = subprocess.run(
            [require_tool("kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=sent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))

    def has(self, *arguments: str) -> bool:
        """Return whether there is what `kubectl get` is asked for."""
        return bool(self.kubectl("get", *arguments, "--ignore-not-found", "--output", "name"))


@contextmanager
def control_plane(folder: Path, address: str = "127.0.0.1") -> Iterator[ControlPlane]:
    """Start the programs, whose API is at `address`, and end them all afterwards."""
    node = str(require_program("node"))
    store, peer, api, controllers, scheduler = free_ports(5)
    if not address.startswith("127."):
        api = 6443  # the port of the API that network policies let out to
    found = ControlPlane(folder, f"https://{address}:{api}", secrets.token_urlsafe(32))
    (folder / "tokens.csv").write_text(f'{found.token},admin,admin,"system:masters"\n')
    key = folder / "accounts.key"
    command = [require_tool("openssl"), "genrsa", "-out", str(key), "2048"]
    subprocess.run(command, check=True, capture_output=True)
    with ExitStack() as stack:
        etcd = {
            "name": "only",
            "data-dir": folder / "etcd",
            "listen-client-urls": f"http://127.0.0.1:{store}",
            "advertise-client-urls": f"http://127.0.0.1:{store}",
            "listen-peer-urls": f"http://127.0.0.1:{peer}",
            "initial-advertise-peer-urls": f"http://127.0.0.1:{peer}",
            "initial-cluster": f"only=http://127.0.0.1:{peer}",
            "unsafe-no-fsync": "true",
        }
        stack.enter_context(program(folder, [node, "etcd"], etcd))
        apiserver = {
            "etcd-servers": f"http://127.0.0.1:{store}",
            "bind-address": address,
            "advertise-address": "" if address.startswith("127.") else address,
            "secure-port": api,
            "cert-dir": folder / "apiserver",
            "service-cluster-ip-range": SERVICES,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "token-auth-file": folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "kubelet-preferred-address-types": "InternalIP",
            "enable-aggregator-routing": "true",
        }
        stack.enter_context(program(folder, [node, "kube-apiserver"], apiserver))
        _wait(found)
        _write_kubeconfig(found)
        shared = {"kubeconfig": found.kubeconfig, "leader-elect": "false"}
        manager = shared | {
            "bind-address": "127.0.0.1",
            "secure-port": controllers,
            "cluster-cidr": PODS,
            "allocate-node-cidrs": "true",
            "service-cluster-ip-range": SERVICES,
            "service-account-private-key-file": key,
            "root-ca-file": folder / "apiserver" / "apiserver.crt",
            "use-service-account-credentials": "false",
            "enable-hostpath-provisioner": "true",
        }
        stack.enter_context(program(folder, [node, "kube-controller-manager"], manager))
        planner = shared | {"bind-address": "127.0.0.1", "secure-port": scheduler}
        stack.enter_context(program(folder, [node, "kube-scheduler"], planner))
        yield found


@contextmanager
def program(
    folder: Path, command: list[str], options: dict[str, Any], **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with a log in `folder`, and end it."""
    arguments = [f"--{name}={value}" for name, value in options.items() if value != ""]
    name = Path(command[-1]).name
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **variables},
        )
    try:
        yield process
        assert process.poll() is None, (folder / f"{name}.log").read_text()[-2000:]
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # Argo's controller goes on
            process.kill()
            process.wait()


@retry(
    stop=stop_after_delay(180),
    wait=wait_fixed(0.2),
    retry=retry_if_exception_type((httpx.TransportError, AssertionError)),
    reraise=True,
)
def _wait(plane: ControlPlane) -> None:
    headers = {"Authorization": f"Bearer {plane.token}"}
    answer = httpx.get(f"{plane.url}/readyz", headers=headers, verify=False)
    assert answer.status_code == 200, answer.text


def _write_kubeconfig(plane: ControlPlane) -> None:
    authority = plane.folder / "apiserver" / "apiserver.crt"
    cluster = {"server": plane.url, "certificate-authority": str(authority)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "own",
        "clusters": [{"name": "own", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": plane.token}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "admin"}}],
    }
    plane.kubeconfig.write_text(yaml.safe_dump(config))
