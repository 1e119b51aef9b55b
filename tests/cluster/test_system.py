"""The whole system on a real cluster: from nothing to an answer, and a flow by a real Argo."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.flow import CLUSTER, environment, start
from tests.cluster.node import ADDRESS
from tests.cluster.own import OwnCluster, argo, own_cluster
from tests.cluster.system import load_images, manifests, run_script
from tests.monitoring.listener import Listener, listening
from tests.polling import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

FLOWS = ("--namespace", "pokewatch-flows")
_ENDED = ("Succeeded", "Failed", "Error")
_EVERYWHERE = ["--production", "--config", "deploy", str(CLUSTER), "argo-workflows"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    with own_cluster(tmp_path_factory.mktemp("c")) as found:
        load_images(found, tmp_path_factory.mktemp("images"))
        yield found


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listening("0.0.0.0") as found:
        yield found


@pytest.fixture(scope="module")
def deployed(
    cluster: OwnCluster, listener: Listener, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The manifests, and what `make deploy` printed."""
    notify = listener.address.replace("127.0.0.1", ADDRESS)
    copy = manifests(cluster, tmp_path_factory.mktemp("manifests"), notify)
    return copy, run_script(copy, cluster, "deploy.sh", "local")


def test_make_deploy_ends_with_the_first_answer(deployed: tuple[Path, str]) -> None:
    answer = json.loads(deployed[1].splitlines()[-1])
    assert answer["fair_price"] > 0
    assert answer["model_version"] == "1"


def test_nothing_restarted_on_the_way(cluster: OwnCluster, deployed: tuple[Path, str]) -> None:
    pods = cluster.plane.get("pods", "--namespace", "pokewatch")["items"]
    restarts = {
        each["metadata"]["name"]: status["restartCount"]
        for each in pods
        for status in each["status"]["containerStatuses"]
    }
    assert set(restarts.values()) == {0}


@pytest.fixture(scope="module")
def workflows(
    cluster: OwnCluster, deployed: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of who starts workflows, with Argo running and the daily flow created."""
    folder = tmp_path_factory.mktemp("flows")
    with argo(cluster):
        env = environment(folder, cluster.s3, cluster.plane.kubeconfig)
        done = start(*_EVERYWHERE, "create", env=env, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        template = cluster.plane.get("workflowtemplate", "pokewatch.prod.pokewatchflow", *FLOWS)
        cluster.plane.kubectl("replace", "--filename", "-", sent=json.dumps(_small(template)))
        yield env


def _small(template: Any) -> Any:
    """Return the template with steps that fit the node, two at a time."""
    template["spec"]["parallelism"] = 2
    for each in template["spec"]["templates"]:
        if "container" in each:
            asked = {"cpu": "50m", "memory": "1536M", "ephemeral-storage": "1G"}
            each["container"]["resources"] = {
                "requests": asked,
                "limits": {**asked, "cpu": "2"},
            }
    return template


def _run(cluster: OwnCluster, env: dict[str, str], folder: Path, *parameters: str) -> Any:
    """Run the daily flow to its end, and return its workflow."""
    done = start(*_EVERYWHERE, "trigger", *parameters, env=env, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"run-id argo-(\S+)\)", done.stdout + done.stderr)
    assert found, done.stdout + done.stderr
    return eventually(
        lambda: cluster.plane.get("workflow", found[1], *FLOWS),
        lambda workflow: (
            workflow.get("status", {}).get("phase") in ("Succeeded", "Failed", "Error")
        ),
        seconds=2400,
        every=2,
    )


def test_argo_runs_the_daily_flow_to_a_champion_that_is_served(
    cluster: OwnCluster,
    workflows: dict[str, str],
    listener: Listener,
    tmp_path: Path,
    deployed: tuple[Path, str],
) -> None:
    ended = _run(cluster, workflows, tmp_path, "--cards", "200", "--days", "120")
    failed = [
        (node["displayName"], node.get("message"))
        for node in ended["status"]["nodes"].values()
        if node["phase"] in ("Failed", "Error")
    ]
    assert (ended["status"]["phase"], failed) == ("Succeeded", [])
    sys.stdout.write(f"{ended['status']['startedAt']} to {ended['status']['finishedAt']}\n")
    assert any(title.endswith("succeeded") for title in listener.titles())


def test_a_run_that_fails_for_good_is_red_at_once_and_notified(
    cluster: OwnCluster, workflows: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    """Its step exits with 202, which is not retried."""
    ended = _run(cluster, workflows, tmp_path, "--source", "nowhere")
    assert ended["status"]["phase"] == "Failed"
    attempts = [
        node for node in ended["status"]["nodes"].values() if node["displayName"] == "start(0)"
    ]
    assert len(attempts) == 1
    assert not [
        node for node in ended["status"]["nodes"].values() if node["displayName"] == "start(1)"
    ]
    assert any(title.endswith("failed") for title in listener.titles())
