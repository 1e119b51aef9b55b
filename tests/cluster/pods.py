"""Jobs started for real: each one a container of the pipeline's image."""

import json
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests import images
from tests.tools import require_tool


class Container:
    """A pod of one container, and the folder that its podman was started in."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        # podman needs a third of a second for a container's state, and Metaflow polls each second.
        with self._code.open("w") as code:
            command = [require_tool("podman"), "wait", name]
            self._waiting = subprocess.Popen(
                command,
                env=images.engine_environment(folder),
                stdout=code,
                stderr=subprocess.DEVNULL,
            )

    def ended(self) -> int | None:
        return (
            None
            if self._waiting.poll() is None
            else int(self._code.read_text() or 128 + signal.SIGKILL)
        )

    @cached_property
    def killed_for_memory(self) -> bool:
        (found,) = json.loads(images.podman("container", "inspect", self.name, folder=self.folder))
        # conmon leaves a file in its own folder; podman 4 never finds it.
        return bool(found["State"]["OOMKilled"]) or (self.folder / "oom").exists()

    def kill(self) -> None:
        command = [require_tool("podman"), "rm", "--force", "--time", "0", self.name]
        subprocess.run(
            command, env=images.engine_environment(self.folder), capture_output=True, check=False
        )
        self._waiting.wait()

    @property
    def _code(self) -> Path:
        return self.folder / "exit-code"


@dataclass
class Node:
    """Starts pods like a kubelet: image, command, variables, Secrets, user and memory limit."""

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
            each["name"]: each["value"]
            if each.get("value") is not None
            else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
            for each in container["env"]
        }
        for source in container["envFrom"]:
            environment |= self.secrets[source["secretRef"]["name"]]
        command = [
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            "host",
            "--no-healthcheck",
            "--cap-drop",
            "ALL",
        ]
        user = container["securityContext"]
        command += [
            "--user",
            f"{user['runAsUser']}:{user['runAsGroup']}",
            "--security-opt",
            "no-new-privileges",
        ]
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
