"""The Jobs of the make targets beside the settings, the fleet and the flows."""

import json
import re
from typing import Any

import pytest
import yaml

from pokewatch.settings import DeploySettings, ServingSettings
from tests.conftest import ROOT
from tests.k8s.rendering import K8S, rendered_jobs, rendered_overlay


@pytest.fixture(scope="module")
def job() -> Any:
    return rendered_jobs()["rollback"]["spec"]


def _environment(job: Any) -> dict[str, str]:
    (container,) = job["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_its_deadline_is_longer_than_all_that_it_waits_for(job: Any) -> None:
    (replicas,) = (
        each["spec"]["maxReplicas"]
        for each in rendered_overlay(K8S / "overlays" / "production")
        if each["kind"] == "HorizontalPodAutoscaler" and each["metadata"]["name"] == "mlserver"
    )
    deploys, serving = DeploySettings.read(), ServingSettings.read()
    waiting = deploys.deploy_wait_seconds + deploys.deploy_lease_seconds
    # The timeout of deploy_transaction, for each MLServer in turn: a killed deploy is undone, then
    # comes the rollback, and where the last MLServer fails it is undone as well.
    loading = 3 * replicas * (serving.load_timeout + 10)
    starting = 300  # pulling the image, on a node that has to be created first
    assert job["activeDeadlineSeconds"] >= starting + waiting + loading


def test_the_workflow_of_deploys_waits_for_its_end(job: Any) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    assert workflow["jobs"]["deploy"]["timeout-minutes"] * 60 > job["activeDeadlineSeconds"]


@pytest.mark.parametrize("name", rendered_jobs())
def test_each_job_has_the_secrets_of_the_flows(name: str) -> None:
    """They hold settings too: where people are notified, and which models are the flows'."""
    secrets = json.loads((ROOT / "flows" / "configs" / "cluster.json").read_text())["secrets"]
    (container,) = rendered_jobs()[name]["spec"]["template"]["spec"]["containers"]
    assert [each["secretRef"]["name"] for each in container["envFrom"]] == secrets


@pytest.mark.parametrize("name", rendered_jobs())
def test_each_job_can_store_price_books(name: str) -> None:
    """Its root file system is read-only, and a rollback may have to open a book."""
    home = re.search(r"POKEWATCH_HOME=(\S+)", (ROOT / "Dockerfile").read_text())
    pod = rendered_jobs()[name]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {each["mountPath"]: each for each in container["volumeMounts"]}
    assert home is not None
    assert not mounted[home[1]].get("readOnly")
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_a_rollback_starts_without_the_secret(job: Any) -> None:
    (container,) = job["template"]["spec"]["containers"]
    assert all(each["secretRef"]["optional"] for each in container["envFrom"])


@pytest.mark.parametrize("name", rendered_jobs())
def test_each_job_reaches_the_registry_and_the_servers_that_the_flows_reach(name: str) -> None:
    """The rollback is no flow, and needs nothing of Metaflow's."""
    config = json.loads((ROOT / "flows" / "configs" / "cluster.json").read_text())
    expected = {
        key: value
        for key, value in config["environment"].items()
        if name == "first-run" or not key.startswith("METAFLOW_")
    }
    assert expected.items() <= _environment(rendered_jobs()[name]["spec"]).items()
