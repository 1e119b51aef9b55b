"""The programs of a cluster, built from their Go modules into a cache outside the checkout.

`python -m tests.cluster.programs` builds those that are missing: some 50 minutes on 2 cores. The
versions are those of the go.mod files.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

_MODULES = ROOT / "tests" / "cluster"
_ARGO = "github.com/argoproj/argo-workflows/v4/cmd"
_ROUTER = "github.com/cloudnativelabs/kube-router/v2/cmd"
_PEBBLE = "github.com/letsencrypt/pebble/v2/cmd"
# The module whose version a program bears, by the folder of its go.mod.
_VERSIONED = {
    "node": "k8s.io/kubernetes",
    "dns": "github.com/coredns/coredns",
    "argo": _ARGO.removesuffix("/cmd"),
    "policies": _ROUTER.removesuffix("/cmd"),
    "metrics": "sigs.k8s.io/metrics-server",
    "edge": "github.com/envoyproxy/gateway",
    "certificates": "github.com/cert-manager/cert-manager",
    "acme": _PEBBLE.removesuffix("/cmd"),
}
PROGRAMS = {
    # etcd and the programs of Kubernetes as one, which names them by its first argument
    "node": (_MODULES / "node", "."),
    "pause": (_MODULES / "node", "./pause"),
    "coredns": (_MODULES / "dns", "."),
    "workflow-controller": (_MODULES / "argo", f"{_ARGO}/workflow-controller"),
    "argoexec": (_MODULES / "argo", f"{_ARGO}/argoexec"),
    "kube-router": (_MODULES / "policies", f"{_ROUTER}/kube-router"),
    "metrics-server": (_MODULES / "metrics", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
    "envoy-gateway": (_MODULES / "edge", "github.com/envoyproxy/gateway/cmd/envoy-gateway"),
    "cert-manager-controllers": (_MODULES / "certificates", "."),
    "acmesolver": (_MODULES / "certificates", "./solver"),
    "pebble": (_MODULES / "acme", f"{_PEBBLE}/pebble"),
    "pebble-challtestsrv": (_MODULES / "acme", f"{_PEBBLE}/pebble-challtestsrv"),
}


def cache() -> Path:
    """Return the folder of the programs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pokewatch" / "cluster"


def path_of(name: str) -> Path:
    """Return the path of a program, built or not."""
    return cache() / f"{name}-{version(name)}"


def require_program(name: str) -> Path:
    """Return the path of a program. Skip the test where it was not built."""
    path = path_of(name)
    if not path.exists():
        if os.environ.get("POKEWATCH_REQUIRE_TOOLS"):
            pytest.fail(f"{path} is missing and POKEWATCH_REQUIRE_TOOLS is set: make cluster")
        pytest.skip(f"{path} is not built: make cluster")
    return path


def version(name: str) -> str:
    """Return the version of the module that a program is built from."""
    folder, _ = PROGRAMS[name]
    module = _VERSIONED[folder.name]
    found = re.search(rf"{re.escape(module)} (v\S+)", (folder / "go.mod").read_text())
    assert found
    return found[1]


def build(name: str) -> None:
    """Build a program that is missing."""
    folder, package = PROGRAMS[name]
    target = path_of(name)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}")
    stamp = f"-X k8s.io/component-base/version.gitVersion={version('node')}"
    flags = ["-trimpath", "-ldflags", f"-s -w {stamp}", "-o", str(part)]
    if folder.name == "argo":
        flags += ["-modfile", str(_completed_argo())]
    _go("build", *flags, package, cwd=folder)
    part.rename(target)


def _completed_argo() -> Path:
    """Return a go.mod with a copy of Argo that has the file which its published module lacks."""
    folder, copy = _MODULES / "argo", cache() / f"argo-workflows-{version('argoexec')}"
    module = _VERSIONED["argo"]
    # `go list -m` names no folder for a module that was not downloaded before.
    source = json.loads(_go("mod", "download", "-json", module, cwd=folder))["Dir"]
    shutil.rmtree(copy, ignore_errors=True)
    # The module cache is read-only, and a copy must take a file more.
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    for each in [copy, *copy.rglob("*/")]:
        each.chmod(0o755)
    lacking = Path("workflow/executor/osspecific/signal_linux.go")
    shutil.copy(folder / "osspecific" / "signal_linux.go", copy / lacking)
    for name in ("go.mod", "go.sum"):
        shutil.copy(folder / name, cache() / f"argo.{name.removeprefix('go.')}")
    modified = cache() / "argo.mod"
    _go("mod", "edit", f"-replace={module}={copy}", str(modified), cwd=folder)
    return modified


def _go(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        ["go", *arguments],
        cwd=cwd,
        env={**os.environ, "CGO_ENABLED": "0"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


if __name__ == "__main__":
    for each in PROGRAMS:
        sys.stdout.write(f"{each} {version(each)}\n")
        sys.stdout.flush()
        build(each)
