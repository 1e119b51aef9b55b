import subprocess
from collections.abc import Iterator

import pytest

from tests.cluster import named, programs
from tests.cluster.envoy_gateway import ENVOY_VERSION
from tests.s3 import running


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 with empty buckets."""
    with running() as url:
        yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report on `pytest -m cluster`: the versions, each test, and what it measured."""
    if terminalreporter.config.option.markexpr != "cluster":
        return
    terminalreporter.section("on a cluster")
    terminalreporter.line(", ".join(_versions()))
    reports = [
        each
        for outcome in ("passed", "failed", "skipped", "error")
        for each in terminalreporter.getreports(outcome)
        if each.when == "call" or outcome != "passed"
    ]
    for each in reports:
        measured = "".join(f"; {name}: {value}" for name, value in each.user_properties)
        name = each.nodeid.removeprefix("tests/cluster/")
        terminalreporter.line(f"{each.outcome:7} {name} ({each.duration:.0f} s){measured}")


def _versions() -> Iterator[str]:
    if named.is_named():
        yield f"Kubernetes {named.server_version()}, which {named.VARIABLE} names"
        return
    names = {"node": "Kubernetes", "workflow-controller": "Argo Workflows"}
    others = ("coredns", "kube-router", "metrics-server", "cert-manager-controllers", "pebble")
    for name in (*names, *others):
        yield f"{names.get(name, name)} {programs.version(name)}"
    yield f"Envoy Gateway {programs.version('envoy-gateway')} with Envoy {ENVOY_VERSION}"
    for name in ("containerd", "runc"):
        try:
            done = subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
        except FileNotFoundError:
            continue
        yield f"{name} {done.stdout.split()[2]}"
