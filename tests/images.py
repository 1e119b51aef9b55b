"""The three images, built with buildah, and containers run from them."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import ROOT
from tests.tools import require_tool
from tests.wheel import version

BASE = "localhost/pokewatch-base:bookworm"
TARGETS = ("pipeline", "serving", "gateway")
_OPTIONS = (
    "--isolation=chroot",
    "--network=host",
    "--layers",
    "--format=docker",
    f"--build-arg=BASE_IMAGE={BASE}",
)
# Debian's defaults need systemd.
_ENGINE = """\
[containers]
default_ulimits = ["nofile=1024:1024","nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def image(target: str) -> str:
    return f"localhost/pokewatch/{target}:{version()}"


def build(folder: Path) -> None:
    """Build every image with `make images`, on a base made by debootstrap if there is none."""
    environment = engine_environment(folder)
    buildah = require_tool("buildah")
    _provide_base(folder, buildah, environment)
    _run(["make", "images", f"BUILDER={buildah}", f"BUILD_ARGS={' '.join(_OPTIONS)}"], environment)


def build_target(
    context: Path, target: str, name: str, folder: Path, arguments: Mapping[str, str]
) -> None:
    """Build one target of a Dockerfile on the same base."""
    environment = engine_environment(folder)
    buildah = require_tool("buildah")
    _provide_base(folder, buildah, environment)
    given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    command = [buildah, "build", *_OPTIONS, *given, "--target", target, "--tag", name]
    _run([*command, str(context)], environment)


def _provide_base(folder: Path, buildah: str, environment: Mapping[str, str]) -> None:
    if subprocess.run(
        [buildah, "inspect", "--type", "image", BASE],
        env=environment,
        capture_output=True,
        check=False,
    ).returncode:
        _build_base(folder / "base", buildah, environment)


def _build_base(folder: Path, buildah: str, environment: Mapping[str, str]) -> None:
    packages = "python3,python3-venv,ca-certificates"
    _run(
        [
            require_tool("debootstrap"),
            "--variant=minbase",
            f"--include={packages}",
            "bookworm",
            str(folder),
        ],
        environment,
    )
    bundle = folder / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    if given := os.environ.get("SSL_CERT_FILE"):
        shutil.copy(given, bundle)
    shutil.rmtree(folder / "var" / "cache" / "apt")
    shutil.rmtree(folder / "var" / "lib" / "apt" / "lists")
    container = _run([buildah, "from", "scratch"], environment).strip()
    _run([buildah, "add", "--quiet", container, str(folder), "/"], environment)
    _run(
        [buildah, "config", "--env", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", container],
        environment,
    )
    _run([buildah, "config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container], environment)
    _run([buildah, "commit", "--quiet", "--rm", container, BASE], environment)


def engine_environment(folder: Path) -> dict[str, str]:
    """Return the environment in which podman and buildah work without systemd."""
    path = folder / "containers.conf"
    path.write_text(_ENGINE)
    return {**os.environ, "CONTAINERS_CONF": str(path)}


def podman(*arguments: str, folder: Path) -> str:
    """Run podman in `folder`, where its monitor leaves files, and return its standard output."""
    return _run([require_tool("podman"), *arguments], engine_environment(folder), folder)


def logs(name: str, folder: Path) -> str:
    """Return the last lines of a container's standard output and error."""
    command = [require_tool("podman"), "logs", "--tail", "20", name]
    return subprocess.run(
        command,
        env=engine_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


def locked_down(
    name: str,
    target: str,
    command: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    mounts: Sequence[str] = (),
    memory: str = "2g",
) -> list[str]:
    """Return the arguments to run an image as the manifests do.

    No root user, no capabilities, and nothing writable but mounts.
    """
    variables = [
        part for name, value in environment.items() for part in ("--env", f"{name}={value}")
    ]
    volumes = [part for mount in mounts for part in ("--volume", mount)]
    limits = [
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--memory",
        memory,
    ]
    around = [
        "--detach",
        "--name",
        name,
        "--network",
        "host",
        "--no-healthcheck",
        "--tmpfs",
        "/tmp:rw,mode=1777",
    ]
    return ["run", *around, *limits, *variables, *volumes, image(target), *command]


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    return done.stdout
