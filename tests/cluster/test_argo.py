"""What `argo-workflows create` really sends to a cluster, value by value."""

import json
from pathlib import Path
from typing import Any

import pytest
from hera.workflows import CronWorkflow, WorkflowTemplate

from tests.cluster.api import kubernetes
from tests.cluster.flow import CLUSTER, FLOW, environment, start
from tests.wheel import version

IMAGE = f"pokewatch/pipeline:{version()}"
SECRETS = [{"secretRef": {"name": "pokewatch-pipeline"}}]
# cpu, memory in MB, disk in MB, timeout in seconds, retries, minutes between them
STEPS = {
    "start": ("0.5", 1024, 2048, 600, 2, 1),
    "collect": ("1", 4096, 20480, 10_800, 2, 5),
    "validate": ("1", 4096, 20480, 3_600, 1, 2),
    "plan": ("0.5", 1024, 2048, 600, 2, 1),
    "features": ("2", 8192, 20480, 7_200, 2, 2),
    "assemble": ("1", 4096, 20480, 3_600, 2, 2),
    "train": ("2", 8192, 20480, 14_400, 1, 2),
    "evaluate": ("2", 8192, 20480, 14_400, 1, 2),
    "gate": ("0.5", 2048, 4096, 1_800, 1, 2),
    "register": ("2", 8192, 20480, 3_600, 2, 1),
    "deploy": ("0.5", 2048, 20480, 1_800, 2, 1),
    "watches": ("0.5", 2048, 20480, 1_800, 2, 2),
    "end": ("0.5", 2048, 2048, 1_800, 2, 1),
}
EVENTS = {
    "METAFLOW_ARGO_EVENTS_EVENT": "metaflow-event",
    "METAFLOW_ARGO_EVENTS_EVENT_SOURCE": "argo-events-webhook",
    "METAFLOW_ARGO_EVENTS_SERVICE_ACCOUNT": "operate-workflow-sa",
    "METAFLOW_ARGO_EVENTS_WEBHOOK_URL": "http://argo-events-webhook-eventsource-svc.argo-events.svc:12000/metaflow-event",
}
MONITOR_STEPS = {
    "start": (600, 2),
    "measure": (7_200, 1),
    "act": (28_800, 0),
    "end": (600, 2),
}  # timeout in seconds, retries

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory, s3: str) -> dict[str, Manifest]:
    """The objects of a production deployment, by kind, as a Kubernetes API got them."""
    folder = tmp_path_factory.mktemp("argo")
    with kubernetes() as cluster:
        env = environment(folder, s3, cluster.kubeconfig(folder)) | {
            "POKEWATCH_NOTIFY_URLS": "slack://A/B/never-in-the-template"
        }
        done = start(
            "--production",
            "--config",
            "deploy",
            str(CLUSTER),
            "argo-workflows",
            "create",
            env=env,
            cwd=folder,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {path.split("/")[0]: _bare(found) for path, found in cluster.objects.items()}


def _bare(value: Any) -> Any:
    """Without the nulls that say nothing."""
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if each is not None}
    return [_bare(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def with_events(tmp_path_factory: pytest.TempPathFactory, s3: str) -> dict[str, Manifest]:
    """The objects of the daily flow with Argo Events, and of the monitor, by kind and name."""
    folder = tmp_path_factory.mktemp("events")
    with kubernetes() as cluster:
        env = environment(folder, s3, cluster.kubeconfig(folder)) | EVENTS
        for flow in (FLOW, FLOW.with_name("monitor.py")):
            done = start(
                "--production",
                "--config",
                "deploy",
                str(CLUSTER),
                "argo-workflows",
                "create",
                env=env,
                cwd=folder,
                flow=flow,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        return {path: _bare(found) for path, found in cluster.objects.items()}


@pytest.fixture(scope="module")
def templates(created: dict[str, Manifest]) -> dict[str, Manifest]:
    return {
        template["name"]: template for template in created["workflowtemplates"]["spec"]["templates"]
    }


def test_the_template_has_every_step_and_no_other_container(templates: dict[str, Manifest]) -> None:
    containers = {name for name, template in templates.items() if "container" in template}
    assert (
        containers
        == {*STEPS, "success-notify-success", "error-notify-failure", "error-msg-capture-hook"}
        & containers
    )
    assert set(STEPS) <= containers


@pytest.mark.parametrize("step", STEPS)
def test_a_step(step: str, templates: dict[str, Manifest]) -> None:
    cpu, memory, disk, timeout, retries, minutes = STEPS[step]
    template, container = templates[step], templates[step]["container"]
    requested = {"cpu": cpu, "memory": f"{memory}M", "ephemeral-storage": f"{disk}M"}
    assert container["image"] == IMAGE
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert (container["resources"]["requests"], container["resources"]["limits"]) == (
        requested,
        requested,
    )
    assert container["envFrom"] == SECRETS
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "allowPrivilegeEscalation": False,
    }
    assert template["serviceAccountName"] == "pokewatch-pipeline"
    assert template["activeDeadlineSeconds"] == timeout
    assert template["retryStrategy"] == {
        "limit": retries,
        "retryPolicy": "Always",
        "backoff": {"duration": f"{minutes}m"},
        # the exit code of a step that would only fail again
        "expression": "asInt(lastRetry.exitCode) != 202",
    }
    settings = {
        each["name"]: each["value"]
        for each in container["env"]
        if each["name"] in {"POKEWATCH_MLSERVER_URLS", "MLFLOW_TRACKING_URI"}
    }
    assert settings == json.loads(CLUSTER.read_text())["environment"]


def test_success_and_failure_are_notified(
    created: dict[str, Manifest], templates: dict[str, Manifest]
) -> None:
    hooks = created["workflowtemplates"]["spec"]["hooks"]
    assert hooks["success-notify-success"] == {
        "template": "success-notify-success",
        "expression": "workflow.status == 'Succeeded'",
    }
    assert hooks["error-notify-failure"] == {
        "template": "error-notify-failure",
        "expression": "workflow.status == 'Error' || workflow.status == 'Failed'",
    }
    for name, function in (
        ("success-notify-success", "notify_success"),
        ("error-notify-failure", "notify_failure"),
    ):
        container = templates[name]["container"]
        assert container["image"] == IMAGE
        assert container["envFrom"] == SECRETS
        assert container["command"][-1].endswith(
            f"exit_hook_script flow.py {function} $RUN_PATHSPEC"
        )


def test_notifications_name_the_market_of_the_run(templates: dict[str, Manifest]) -> None:
    for name in ("success-notify-success", "error-notify-failure"):
        given = {each["name"]: each.get("value") for each in templates[name]["container"]["env"]}
        assert given["POKEWATCH_MARKET"] == (
            "{{=sprig.trimAll('\"', workflow.parameters['market'])}}"
        )


def test_no_secret_is_in_what_is_sent(created: dict[str, Manifest]) -> None:
    text = json.dumps(created)
    assert "never-in-the-template" not in text
    assert "AWS_SECRET_ACCESS_KEY" not in text


def test_the_schedule(created: dict[str, Manifest]) -> None:
    cron = created["cronworkflows"]
    assert cron["spec"]["schedules"] == ["0 2 * * *"]
    assert cron["spec"]["suspend"] is False
    assert not cron["spec"].get("timezone")  # Argo's default is UTC
    assert cron["spec"]["workflowSpec"]["workflowTemplateRef"] == {
        "name": created["workflowtemplates"]["metadata"]["name"]
    }
    assert created["workflowtemplates"]["metadata"]["name"] == "pokewatch.prod.pokewatchflow"


def test_one_run_at_a_time_and_one_deploy(
    created: dict[str, Manifest], templates: dict[str, Manifest]
) -> None:
    assert created["cronworkflows"]["spec"]["concurrencyPolicy"] == "Forbid"
    spec = created["workflowtemplates"]["spec"]
    assert spec["synchronization"] == {
        "mutexes": [{"name": "pokewatch.prod.pokewatchflow-{{workflow.parameters.market}}"}]
    }
    held = {
        name: template["synchronization"]
        for name, template in templates.items()
        if "synchronization" in template
    }
    assert held == {"deploy": {"mutexes": [{"name": "pokewatch-deploy"}]}}


def test_a_branch_has_a_mutex_of_its_own_and_the_same_for_its_deploys(
    tmp_path: Path, s3: str
) -> None:
    env = environment(tmp_path, s3)
    done = start(
        "--branch",
        "mine",
        "--config",
        "deploy",
        str(CLUSTER),
        "argo-workflows",
        "create",
        "--only-json",
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    spec = json.loads(done.stdout[done.stdout.index("{") :])["spec"]
    assert spec["synchronization"] == {
        "mutexes": [{"name": "pokewatch.test.mine.pokewatchflow-{{workflow.parameters.market}}"}]
    }
    (deploy,) = [each for each in spec["templates"] if each["name"] == "deploy"]
    assert deploy["synchronization"] == {"mutexes": [{"name": "pokewatch-deploy"}]}
    assert "--branch mine" in deploy["container"]["command"][-1]


def test_the_daily_flow_waits_for_the_event_of_the_monitor_where_there_are_events(
    created: dict[str, Manifest], with_events: dict[str, Manifest]
) -> None:
    assert "sensors" not in created
    (sensor,) = [found for path, found in with_events.items() if path.startswith("sensors/")]
    assert "mfns.pokewatch.prod.retrain" in json.dumps(sensor)
    (trigger,) = sensor["spec"]["triggers"]
    assert (
        trigger["template"]["k8s"]["source"]["resource"]["spec"]["workflowTemplateRef"]["name"]
        == "pokewatch.prod.pokewatchflow"
    )


def test_the_monitor_runs_every_day_after_the_pipeline(with_events: dict[str, Manifest]) -> None:
    cron, template = (
        with_events[f"{kind}/pokewatch.prod.pokewatchmonitor"]
        for kind in ("cronworkflows", "workflowtemplates")
    )
    assert cron["spec"]["schedules"] == ["0 6 * * *"]
    templates = {
        each["name"]: each for each in template["spec"]["templates"] if "container" in each
    }
    assert set(MONITOR_STEPS) <= set(templates)
    for step, (timeout, retries) in MONITOR_STEPS.items():
        assert templates[step]["container"]["image"] == IMAGE
        assert templates[step]["container"]["envFrom"] == SECRETS
        assert templates[step]["serviceAccountName"] == "pokewatch-pipeline"
        assert templates[step]["activeDeadlineSeconds"] == timeout
        assert templates[step].get("retryStrategy", {"limit": 0})["limit"] == retries
        environment = {
            each["name"]: each["value"]
            for each in templates[step]["container"]["env"]
            if "value" in each
        }
        assert (
            environment["METAFLOW_ARGO_EVENTS_WEBHOOK_URL"]
            == EVENTS["METAFLOW_ARGO_EVENTS_WEBHOOK_URL"]
        )


def test_argos_own_models_take_both(created: dict[str, Manifest]) -> None:
    template: Any = WorkflowTemplate.from_dict(created["workflowtemplates"])
    cron: Any = CronWorkflow.from_dict(created["cronworkflows"])
    assert template.name == "pokewatch.prod.pokewatchflow"
    assert cron.schedules == ["0 2 * * *"]
    assert cron.concurrency_policy == "Forbid"


def test_the_local_config_is_refused(tmp_path: Path, s3: str) -> None:
    done = start(
        "argo-workflows", "create", "--only-json", env=environment(tmp_path, s3), cwd=tmp_path
    )
    assert done.returncode != 0
    assert "The local config has no image, service account or secrets" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "variables", "reason"),
    [
        ({"image": ""}, {}, "The deploy config lacks image."),
        (
            {},
            {"METAFLOW_KUBERNETES_NAMESPACE": "default"},
            "METAFLOW_KUBERNETES_NAMESPACE is default, but the deploy config's namespace",
        ),
    ],
    ids=["no image", "another namespace"],
)
def test_what_would_run_wrong_is_refused(
    change: Manifest, variables: dict[str, str], reason: str, tmp_path: Path, s3: str
) -> None:
    config = tmp_path / "cluster.json"
    config.write_text(json.dumps(json.loads(CLUSTER.read_text()) | change))
    env = environment(tmp_path, s3) | variables
    done = start(
        "--config",
        "deploy",
        str(config),
        "argo-workflows",
        "create",
        "--only-json",
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode != 0
    assert reason in done.stdout + done.stderr
