"""The system under load, while what happens to a system happens to it.

LOAD_SECONDS is how long the load lasts, ten minutes unless it is set.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.load import Load, load
from tests.cluster.metrics_server import metrics_server
from tests.cluster.system import Recorder, System, run_script
from tests.polling import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

HERE = ("--namespace", "pokewatch")
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "600"))
MOST_FAILURES = 0.001
_SERVING = ("gateway", "mlserver")
Sending = Callable[[float], AbstractContextManager[Load]]


@pytest.fixture(scope="module")
def key(system: System, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key for more requests a minute than the first, made as docs/kubernetes.md says."""
    plane, url = system.cluster.plane, system.cluster.url
    folder = tmp_path_factory.mktemp("keys")
    (content,) = plane.get("secret", "gateway-keys", *HERE)["data"].values()
    (folder / "keys.sqlite").write_bytes(base64.b64decode(content))
    options = ("--rate", "1000000/minute", "--json")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pokewatch")), "keys", "create", "load", *options],
        env={**os.environ, "POKEWATCH_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = str(json.loads(done.stdout)["key"])
    file = f"--from-file={folder / 'keys.sqlite'}"
    made = ("generic", "gateway-keys", file, "--dry-run=client", "--output=yaml")
    plane.kubectl("apply", "--filename", "-", sent=plane.kubectl("create", "secret", *made, *HERE))
    # Each gateway reads the Secret at a time of its own, and a connection may reach any of them.
    eventually(
        lambda: {_status(f"{url}/cards?limit=1", found) for _ in range(20)},
        lambda statuses: statuses == {200},
        seconds=180,
        every=2,
    )
    return found


def _status(url: str, key: str) -> int:
    return httpx.get(url, headers={"X-API-Key": key}).status_code


@pytest.fixture(scope="module")
def sending(system: System, key: str) -> Sending:
    """Sends a number of requests a second, until the end of a block."""
    url = system.cluster.url
    answer = httpx.get(f"{url}/cards?limit=100", headers={"X-API-Key": key}).json()
    return partial(load, url, key, [str(each["card_id"]) for each in answer["cards"]])


@pytest.fixture(scope="module")
def replicated(system: System) -> ControlPlane:
    """Two replicas of what serves, as production has at least."""
    plane = system.cluster.plane
    for name in _SERVING:
        _scale(plane, name, 2, 2)
        _replicas(plane, name, 2)
    return plane


def test_ten_minutes_of_load(
    system: System,
    replicated: ControlPlane,
    sending: Sending,
    record_property: Recorder,
) -> None:
    """A deploy, a rollback, killed pods, a scale up and down, a Redis restart."""
    plane = replicated
    first_run = (system.manifests / "jobs" / "first-run.yaml").read_text()
    deploy = first_run.replace("pokewatch value --sample 1 ||", "").replace("first-run", "deploy")
    (system.manifests / "jobs" / "deploy.yaml").write_text(deploy)

    def answered_after(script: str, *arguments: str) -> str:
        """Return the model version of answers after a script that changes it."""
        before = sent.latest_version
        run_script(system.manifests, system.cluster, script, *arguments)
        return eventually(lambda: sent.latest_version, lambda now: now != before)

    with sending(20) as sent:
        ends = time.monotonic() + LOAD_SECONDS
        old = eventually(lambda: sent.latest_version, bool)
        _kill_one(plane, "gateway")
        new = answered_after("job.sh", "deploy")
        plane.kubectl("rollout", "restart", "deployment/redis", *HERE)
        _rolled_out(plane, "redis")
        assert answered_after("rollback.sh") == old
        _kill_one(plane, "mlserver")
        for count in (3, 2):
            for name in _SERVING:
                _scale(plane, name, count, count)
            for name in _SERVING:
                _replicas(plane, name, count)
        time.sleep(max(0.0, ends - time.monotonic()))
    record_property("load with events", sent.report())
    assert sent.failed <= MOST_FAILURES * sent.outcomes.total(), sent.outcomes
    assert set(sent.versions) == {old, new}


def test_a_changed_setting_and_a_new_image_are_rolled_out_without_a_failed_request(
    system: System,
    replicated: ControlPlane,
    sending: Sending,
    record_property: Recorder,
) -> None:
    plane = replicated
    setting = "POKEWATCH_DRAIN_SECONDS=9"
    with sending(10) as sent:
        for name in ("mlserver", "gateway"):
            # to Kubernetes another image, though it is another name of the same
            new = f"{name}={_image(plane, name)}"
            plane.kubectl("set", "image", f"deployment/{name}", new, *HERE)
            _rolled_out(plane, name)
        before = _pods(plane, "gateway")
        base = system.manifests / "base" / "kustomization.yaml"
        text = base.read_text()
        base.write_text(text.replace("POKEWATCH_DRAIN_SECONDS=10", setting))
        overlay = str(system.manifests / "overlays" / "local")
        options = ("--server-side", "--force-conflicts", "--kustomize")
        plane.kubectl("apply", *options, overlay)
        for name in _SERVING:
            _scale(plane, name, 2, 2)
            _rolled_out(plane, name)
        base.write_text(text)
    record_property("rollouts under load", sent.report())
    assert set(before).isdisjoint(_pods(plane, "gateway"))
    assert sent.failed == 0, sent.outcomes


def test_a_drain_keeps_the_disruption_budgets(
    replicated: ControlPlane, sending: Sending, record_property: Recorder
) -> None:
    """On the only node: what was evicted waits for another, and no second pod is evicted."""
    plane = replicated
    nodes = [each["metadata"]["name"] for each in plane.get("nodes")["items"]]
    if len(nodes) > 1:
        pytest.skip("what a drain evicts from one node starts on another")
    with sending(10) as sent:
        selector = "--pod-selector=app.kubernetes.io/name in (gateway,mlserver)"
        options = ("--delete-emptydir-data", "--ignore-daemonsets", "--timeout=45s")
        try:
            fault = plane.kubectl("drain", nodes[0], selector, *options, fails=True)
            assert "violate the pod's disruption budget" in fault
            for name in _SERVING:
                assert _ready(plane, name) == 1
        finally:
            plane.kubectl("uncordon", nodes[0])
        for name in _SERVING:
            _replicas(plane, name, 2)
    record_property("a drain under load", sent.report())
    assert sent.failed <= MOST_FAILURES * sent.outcomes.total(), sent.outcomes


@pytest.fixture
def autoscaled(system: System, replicated: ControlPlane) -> Iterator[ControlPlane]:
    """Autoscalers that have metrics, may add two replicas, and remove them soon."""
    with metrics_server(system.cluster):
        for name in _SERVING:
            _scale(replicated, name, 2, 4)
            policies = [{"type": "Pods", "value": 1, "periodSeconds": 15}]
            soon = {"stabilizationWindowSeconds": 15, "policies": policies}
            _patch(replicated, name, {"behavior": {"scaleDown": soon}, "metrics": [_cpu(40)]})
        yield replicated
        for name in _SERVING:
            _scale(replicated, name, 2, 2)


def _cpu(percent: int) -> dict[str, object]:
    """A target of the CPU, of the little that the pods of a small node ask for."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def test_replicas_grow_and_shrink_with_the_load(
    autoscaled: ControlPlane, sending: Sending, record_property: Recorder
) -> None:
    plane = autoscaled
    with sending(120) as sent:
        _replicas_are(plane, "gateway", lambda count: count > 2)
        _rolled_out(plane, "gateway")
        most = _ready(plane, "gateway")
        sent.rate = 1
        _replicas_are(plane, "gateway", lambda count: count == 2)
    record_property("autoscaling", f"2 to {most} and back; {sent.report()}")
    assert sent.failed <= MOST_FAILURES * sent.outcomes.total(), sent.outcomes
    assert len(sent.versions) == 1


def _scale(plane: ControlPlane, name: str, least: int, most: int) -> None:
    _patch(plane, name, {"minReplicas": least, "maxReplicas": most})


def _patch(plane: ControlPlane, name: str, spec: dict[str, object]) -> None:
    patch = json.dumps({"spec": spec})
    plane.kubectl("patch", "hpa", name, "--type", "merge", "--patch", patch, *HERE)


def _replicas(plane: ControlPlane, name: str, count: int) -> None:
    """Wait until a workload has as many replicas, all ready."""
    _replicas_are(plane, name, lambda found: found == count)
    _rolled_out(plane, name)


def _replicas_are(plane: ControlPlane, name: str, good: Callable[[int], bool]) -> None:
    def read() -> int:
        return int(plane.get("deployment", name, *HERE)["spec"]["replicas"])

    eventually(read, good, seconds=600, every=2)


def _ready(plane: ControlPlane, name: str) -> int:
    return int(plane.get("deployment", name, *HERE)["status"]["readyReplicas"])


def _rolled_out(plane: ControlPlane, name: str) -> None:
    plane.kubectl("rollout", "status", f"deployment/{name}", "--timeout=600s", *HERE)


def _pods(plane: ControlPlane, name: str) -> Sequence[str]:
    """Return the names of a workload's pods, without those that drain to be deleted."""
    selector = f"app.kubernetes.io/name={name}"
    found = [each["metadata"] for each in plane.get("pods", "--selector", selector, *HERE)["items"]]
    return [each["name"] for each in found if "deletionTimestamp" not in each]


def _kill_one(plane: ControlPlane, name: str) -> None:
    """Kill a pod at once, and wait for the one in its place."""
    now = ("--grace-period=0", "--force")
    plane.kubectl("delete", "pod", _pods(plane, name)[0], *now, *HERE)
    _rolled_out(plane, name)


def _image(plane: ControlPlane, name: str) -> str:
    """Return the whole name of a workload's image."""
    deployment = plane.get("deployment", name, *HERE)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return f"docker.io/{container['image']}"
