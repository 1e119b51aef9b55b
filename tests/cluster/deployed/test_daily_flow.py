"""The daily flow by a real Argo."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.argo_controller import argo
from tests.cluster.flow import CLUSTER, environment
from tests.cluster.forwarding import forwarded
from tests.cluster.listener import Listener
from tests.cluster.storage import Storage
from tests.cluster.system import Recorder, System
from tests.conftest import ROOT
from tests.polling import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(5400)]

FLOWS = ("--namespace", "pokewatch-flows")
TEMPLATE = "pokewatch.prod.pokewatchflow"
BRANCH = "--test-mine"  # how what belongs to the branch `mine` ends
STEPS_WITH_CARDS = {"collect", "validate", "train", "evaluate", "gate", "register", "deploy"}
_ENDED = ("Succeeded", "Failed", "Error")
_DEPLOYER = ROOT / "tests" / "cluster" / "flows" / "deployer.py"


@dataclass(frozen=True)
class Workflows:
    """Workflows of the daily flow, created and started by Metaflow's Deployer."""

    system: System
    folder: Path

    def deployer(self, *arguments: str) -> str:
        plane = self.system.cluster.plane
        with Storage(plane).environment() as storage:
            env = environment(self.folder, "", plane.kubeconfig) | storage
            done = subprocess.run(
                [sys.executable, str(_DEPLOYER), *arguments],
                env=env | {"PYTHONPATH": str(ROOT)},
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    def create(self, *branch: str) -> str:
        """Create the daily flow, of production or of a branch, and make it small."""
        template = self.deployer("create", str(CLUSTER), *branch)
        plane = self.system.cluster.plane
        created = plane.get("workflowtemplate", template, *FLOWS)
        plane.kubectl("replace", "--filename", "-", sent=json.dumps(_small(created)))
        return template

    def start(self, template: str = TEMPLATE, **parameters: object) -> str:
        """Start the daily flow, and return the name of its workflow."""
        return self.deployer("start", template, json.dumps(parameters))

    def read(self, name: str) -> Any:
        return self.system.cluster.plane.get("workflow", name, *FLOWS)

    def until(self, name: str, good: Callable[[Any], bool]) -> Any:
        """Return the status of a workflow that is `good`."""
        return eventually(lambda: self.read(name).get("status", {}), good, seconds=2700, every=1)

    def pods_of(self, workflow: str, step: str) -> list[str]:
        """Return the pods that a step has now."""
        selector = f"workflows.argoproj.io/workflow={workflow}"
        found = self.system.cluster.plane.get("pods", "--selector", selector, *FLOWS)["items"]
        names = [str(each["metadata"]["name"]) for each in found]
        return [each for each in names if each.startswith(f"{workflow}-{step}-")]

    def delete_pod_of(self, workflow: str, step: str) -> None:
        """Delete the first pod of a step as soon as it is there.

        Argo may see a short step only when it has ended.
        """
        (pod,) = eventually(
            lambda: self.pods_of(workflow, step), lambda pods: len(pods) > 0, seconds=2700, every=1
        )
        plane = self.system.cluster.plane
        plane.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false", *FLOWS)

    def ended(self, name: str) -> Any:
        return self.until(name, lambda status: status.get("phase") in _ENDED)


@pytest.fixture(scope="module")
def workflows(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflows]:
    """Argo, with the daily flow created and made small."""
    found = Workflows(system, tmp_path_factory.mktemp("flows"))
    with argo(system.cluster):
        assert found.create() == TEMPLATE
        yield found


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


def test_argo_runs_the_daily_flow_to_a_champion_that_is_served(
    system: System, workflows: Workflows, listener: Listener, record_property: Recorder
) -> None:
    before = _answered_version(system)
    name = workflows.start(cards=200, days=120)
    ended = workflows.ended(name)
    assert (ended["phase"], _failed_steps(ended)) == ("Succeeded", [])
    times = [datetime.fromisoformat(ended[each]) for each in ("startedAt", "finishedAt")]
    record_property("the flow by Argo", f"{(times[1] - times[0]).total_seconds():.0f} s")
    assert any(title.endswith("succeeded") for title in listener.titles())
    eventually(lambda: _answered_version(system), lambda now: now != before)
    assert _steps_with_cards(system, name) == STEPS_WITH_CARDS


def test_a_branch_touches_nothing_of_production(system: System, workflows: Workflows) -> None:
    before = _production(system)
    template = workflows.create("mine")
    assert template == "pokewatch.test.mine.pokewatchflow"
    started = workflows.start(template, cards=200, days=121, candidates="last")
    ended = workflows.ended(started)
    assert (ended["phase"], _failed_steps(ended)) == ("Succeeded", [])
    assert f"champion{BRANCH}" in _models(system)["pokewatch"]["aliases"]
    assert _production(system) == before


def test_a_refused_model_ends_red_and_notifies_while_a_second_run_waits(
    system: System, workflows: Workflows, listener: Listener, refusing: None
) -> None:
    """A step whose pod is lost is retried, one that refuses a model exits with 202 and is not."""
    before, heard = _answered_version(system), len(listener.titles())
    first = workflows.start(cards=200, days=120, candidates="rolling_mean")
    workflows.delete_pod_of(first, "validate")
    second = workflows.start(source="nowhere")
    waiting = workflows.until(second, lambda status: "message" in status)
    assert "Waiting for" in waiting["message"]
    refused = workflows.ended(first)
    assert refused["phase"] == "Failed"
    assert workflows.pods_of(first, "validate"), "another pod than the deleted one"
    # Argo repeats what a lost pod did as the same attempt or as the next one
    assert set(_failed_steps(refused)) - {"validate(0)"} == {"register(0)"}
    assert _failed_steps(workflows.ended(second)) == ["start(0)"]
    titles = listener.titles()[heard:]
    assert any("refused" in title for title in titles)
    # that a flow fails is not sent again for the next run
    assert sum(title.endswith("failed") for title in titles) == 1
    assert _answered_version(system) == before


@pytest.fixture
def refusing(system: System) -> Iterator[None]:
    """A gate that refuses every model."""
    _set_gate(system, "0.001")
    yield
    _set_gate(system, None)


def _set_gate(system: System, mape: str | None) -> None:
    encoded = base64.b64encode(mape.encode()).decode() if mape else None
    patch = json.dumps({"data": {"POKEWATCH_GATE_MAPE": encoded}})
    options = ("--type", "merge", "--patch", patch)
    system.cluster.plane.kubectl("patch", "secret", "pokewatch-pipeline", *options, *FLOWS)


def _failed_steps(status: Any) -> list[str]:
    """Return the attempts that failed."""
    return sorted(
        node["displayName"]
        for node in status["nodes"].values()
        if node["type"] == "Pod" and node["phase"] in ("Failed", "Error")
    )


def _steps_with_cards(system: System, workflow: str) -> set[str]:
    """Return the steps of a run whose cards are where docs/kubernetes.md says."""
    folder = f"metaflow/mf.cards/PokeWatchFlow/runs/argo-{workflow}/"
    cards = {
        path.removeprefix(folder): content
        for path, content in Storage(system.cluster.plane)
        .stored("pokewatch-metaflow", folder)
        .items()
        if path.endswith(".html")
    }
    assert all("</html>" in content for content in cards.values())
    return {path.split("/")[1] for path in cards}  # after "steps"


def _production(system: System) -> dict[str, Any]:
    """Return what a run on a branch could change of production."""
    plane = system.cluster.plane
    models = {
        name: {kind: _without_branch(each[kind]) for kind in each}
        for name, each in _models(system).items()
        if not name.endswith(BRANCH)
    }
    created = ("workflowtemplate", "cronworkflow")
    return {
        "models": models,
        "created": [plane.get(kind, TEMPLATE, *FLOWS)["spec"] for kind in created],
        "latest prices": Storage(plane).stored("pokewatch-data", "dvc/heads/"),
        "answered": _answered_version(system),
    }


def _without_branch(named: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in named.items() if not name.endswith(BRANCH)}


def _models(system: System) -> dict[str, dict[str, dict[str, str]]]:
    """Return the aliases and the tags of each registered model."""
    with forwarded(system.cluster.plane, "pokewatch", "mlflow", 5000) as address:
        answer = httpx.get(
            f"http://{address}/api/2.0/mlflow/registered-models/search",
            headers={"Host": "mlflow.pokewatch.svc"},
            timeout=30,
        ).json()
    return {
        each["name"]: {
            "aliases": {found["alias"]: found["version"] for found in each.get("aliases", [])},
            "tags": {found["key"]: found["value"] for found in each.get("tags", [])},
        }
        for each in answer["registered_models"]
    }


def _answered_version(system: System) -> str:
    headers = {"X-API-Key": system.key}
    with httpx.Client(base_url=system.cluster.url, headers=headers, timeout=30) as client:
        card = client.get("/cards?limit=1").json()["cards"][0]["card_id"]
        answer = client.post("/fair_price", json={"card_id": card})
        return str(answer.json()["model_version"])
