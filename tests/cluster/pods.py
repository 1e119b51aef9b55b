"""Jobs started for real: each one a container of the pipeline's image."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import images
from tests.tools import require_tool


@dataclass
class Container:
    """A pod of one container, and the folder that its podman was started in."""

    name: str
    folder: Path

    def ended(self) -> int | None:
        state = self._state()
        return int(state["ExitCode"]) if state["Status"] == "exited" else None

    @property
    def killed_for_memory(self) -> bool:
        # conmon, told by the kernel, leaves a file where it runs; podman 4 looks for it elsewhere, so its own word is never yes.
        return bool(self._state()["OOMKilled"]) or (self.folder / "oom").exists()

    def kill(self) -> None:
        subprocess.run(
            [require_tool("podman"), "rm", "--force", "--time", "0", self.name],
            env=images.engine_environment(self.folder),
            capture_output=True,
            check=False,
        )

    def _state(self) -> dict[str, Any]:
        (found,) = json.loads(images.podman("container", "inspect", self.name, folder=self.folder))
        state: dict[str, Any] = found["State"]
        return state


@dataclass
class Node:
    """Starts pods as a node's kubelet would: the pod's image, command, variables, Secrets, user and memory limit."""

    folder: Path
    secrets: Mapping[str, Mapping[str, str]]

    def launch(self, name: str, spec: Mapping[str, Any]) -> Container:
        (container,) = spec["containers"]
        assert spec["serviceAccountName"] == "pokewatch-pipeline"
        fields = {
            "metadata.name": name,
            "metadata.namespace": "pokewatch-flows",
            "metadata.uid": f"uid-of-{name}",
            "spec.serviceAccountName": spec["serviceAccountName"],
            "status.hostIP": "127.0.0.1",
        }
        environment = {
            each["name"]: each["value"] if each.get("value") is not None else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
            for each in container["env"]
        }
        for source in container["envFrom"]:
            environment |= self.secrets[source["secretRef"]["name"]]
        command = ["run", "--detach", "--name", name, "--network", "host", "--no-healthcheck", "--cap-drop", "ALL"]
        user = container["securityContext"]
        command += ["--user", f"{user['runAsUser']}:{user['runAsGroup']}", "--security-opt", "no-new-privileges"]
        command += [
            "--memory",
            container["resources"]["limits"]["memory"].lower(),
            "--memory-swap",
            container["resources"]["limits"]["memory"].lower(),
        ]
        for variable, value in environment.items():
            command += ["--env", f"{variable}={value}"]
        folder = self.folder / name
        folder.mkdir()
        images.podman(*command, container["image"], *container["command"], folder=folder)
        return Container(name, folder)
