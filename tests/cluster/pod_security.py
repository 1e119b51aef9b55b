"""The Pod Security Standard "restricted", as far as pods here could break it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def restricted_violations(pod: Mapping[str, Any]) -> Iterator[str]:
    """Yield what "restricted" refuses in a pod's spec."""
    around = pod.get("securityContext") or {}
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    for volume in pod.get("volumes", []):
        if not volume.keys() & _VOLUMES:
            yield f"volume {volume['name']}"
    for container in chain(pod["containers"], pod.get("initContainers", [])):
        own = container.get("securityContext") or {}
        capabilities = own.get("capabilities") or {}
        profile = own.get("seccompProfile") or around.get("seccompProfile") or {}
        kept = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": own.get("runAsNonRoot", around.get("runAsNonRoot")) is True,
            "runAsUser": own.get("runAsUser", around.get("runAsUser")) != 0,
            "seccompProfile": profile.get("type") in ("RuntimeDefault", "Localhost"),
            "capabilities": "ALL" in (capabilities.get("drop") or [])
            and set(capabilities.get("add") or []) <= {"NET_BIND_SERVICE"},
            "ports": not any(port.get("hostPort") for port in container.get("ports") or []),
        }
        yield from (f"{container['name']}: {name}" for name, fine in kept.items() if not fine)
