"""What `argo-workflows create` really sends to a cluster, value by value."""

import json
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hera.workflows import CronWorkflow, WorkflowTemplate

from pokewatch.errors import RetrainError
from pokewatch.pipeline.monitor import retrain
from pokewatch.pipeline.monitored_market import Market
from pokewatch.registry import Registry
from tests.cluster.api import kubernetes
from tests.cluster.flow import CLUSTER, FLOW, environment, start
from tests.cluster.pod_security import restricted_violations
from tests.k8s.rendering import K8S, rendered_overlay
from tests.wheel import version

pytestmark = pytest.mark.integration

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
        done = _create(env, folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return {path.split("/")[0]: _bare(found) for path, found in cluster.objects.items()}


def _bare(value: Any) -> Any:
    """Without the nulls that say nothing."""
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if each is not None}
    return [_bare(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory, s3: str) -> dict[str, Manifest]:
    """The objects of the monitor, by kind."""
    folder = tmp_path_factory.mktemp("monitor")
    with kubernetes() as cluster:
        env = environment(folder, s3, cluster.kubeconfig(folder))
        done = _create(env, folder, FLOW.with_name("monitor.py"))
        assert done.returncode == 0, done.stdout + done.stderr
        return {path.split("/")[0]: _bare(found) for path, found in cluster.objects.items()}


def _create(
    env: dict[str, str], folder: Path, flow: Path = FLOW
) -> subprocess.CompletedProcess[str]:
    options = ["--production", "--config", "deploy", str(CLUSTER)]
    return start(*options, "argo-workflows", "create", env=env, cwd=folder, flow=flow)


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
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
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
        if each["name"].startswith(("POKEWATCH_", "MLFLOW_", "METAFLOW_S3_WORKER"))
    }
    assert settings == json.loads(CLUSTER.read_text())["environment"]


def test_a_step_has_memory_for_the_processes_that_fetch_its_artifacts() -> None:
    """Metaflow starts up to 64 of 55 MB: more than `gate` has, which reads those of many tasks."""
    most = int(json.loads(CLUSTER.read_text())["environment"]["METAFLOW_S3_WORKER_COUNT"])
    assert most * 55 < min(memory for _, memory, *_ in STEPS.values()) / 2


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
        assert container["resources"] == templates["start"]["container"]["resources"]
        assert templates[name]["activeDeadlineSeconds"] == STEPS["start"][3]
        assert container["command"][-1].endswith(
            f"exit_hook_script flow.py {function} $RUN_PATHSPEC"
        )


def test_notifications_name_the_market_of_the_run(templates: dict[str, Manifest]) -> None:
    for name in ("success-notify-success", "error-notify-failure"):
        given = {each["name"]: each.get("value") for each in templates[name]["container"]["env"]}
        assert given["POKEWATCH_MARKET"] == (
            "{{=sprig.trimAll('\"', workflow.parameters['market'])}}"
        )


def test_notifications_belong_to_the_branch_of_the_run(
    templates: dict[str, Manifest], branch: Manifest
) -> None:
    """One that a branch sent keeps none of production's back."""
    of_branch = {each["name"]: each for each in branch["templates"]}
    for sent, expected in ((templates, ""), (of_branch, "test.mine")):
        for name in ("success-notify-success", "error-notify-failure"):
            given = {each["name"]: each.get("value") for each in sent[name]["container"]["env"]}
            assert given["POKEWATCH_BRANCH"] == expected


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


def _spec(folder: Path, env: Mapping[str, str], *options: str) -> Manifest:
    """Return the spec of the daily flow's workflow."""
    command = ("--config", "deploy", str(CLUSTER), "argo-workflows", "create", "--only-json")
    done = start(*options, *command, env=env, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    spec: Manifest = json.loads(done.stdout[done.stdout.index("{") :])["spec"]
    return spec


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory, s3: str) -> Manifest:
    """The workflow of the daily flow on a branch."""
    folder = tmp_path_factory.mktemp("branch")
    return _spec(folder, environment(folder, s3), "--branch", "mine")


@pytest.mark.slow
def test_steps_and_hooks_use_the_metadata_service_that_is_exported(tmp_path: Path, s3: str) -> None:
    """As docs/kubernetes.md says: the address for pods, not that for people."""
    exported = {
        "METAFLOW_DEFAULT_METADATA": "service",
        "METAFLOW_SERVICE_URL": "http://127.0.0.1:9",
        "METAFLOW_SERVICE_INTERNAL_URL": "http://metadata.metaflow.svc:8080",
    }
    spec = _spec(tmp_path, environment(tmp_path, s3) | exported, "--production")
    containers = [each["container"] for each in spec["templates"] if "container" in each]
    for container in containers:
        given = {each["name"]: each.get("value") for each in container["env"]}
        assert given["METAFLOW_DEFAULT_METADATA"] == "service"
        assert given["METAFLOW_SERVICE_URL"] == exported["METAFLOW_SERVICE_INTERNAL_URL"]
    assert len(containers) > 13


def test_a_branch_has_a_mutex_of_its_own_and_the_same_for_its_deploys(branch: Manifest) -> None:
    assert branch["synchronization"] == {
        "mutexes": [{"name": "pokewatch.test.mine.pokewatchflow-{{workflow.parameters.market}}"}]
    }
    (deploy,) = [each for each in branch["templates"] if each["name"] == "deploy"]
    assert deploy["synchronization"] == {"mutexes": [{"name": "pokewatch-deploy"}]}
    assert "--branch mine" in deploy["container"]["command"][-1]


def test_the_monitor_runs_every_day_after_the_pipeline(monitor: dict[str, Manifest]) -> None:
    cron, template = monitor["cronworkflows"], monitor["workflowtemplates"]
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


def test_no_object_needs_argo_events(
    created: dict[str, Manifest], monitor: dict[str, Manifest]
) -> None:
    assert created.keys() == monitor.keys() == {"workflowtemplates", "cronworkflows"}


def test_the_monitor_starts_the_daily_flow_by_the_api(
    tmp_path: Path, s3: str, registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a step's pod: by the template of the same branch, with the parameters of the market."""
    with kubernetes() as cluster:
        env = environment(tmp_path, s3, cluster.kubeconfig(tmp_path))
        assert _create(env, tmp_path).returncode == 0
        pod = env | {"ARGO_WORKFLOW_TEMPLATE": "pokewatch.prod.pokewatchmonitor"}
        for name, value in (pod | {"POKEWATCH_HOME": str(registry_home)}).items():
            monkeypatch.setenv(name, value)
        market = Market("simulated", 400, cards=300, last_day=date(2026, 1, 31))
        retrain(market, date(2026, 1, 31), [str(FLOW), "--production"])
        started = [
            found for path, found in cluster.objects.items() if path.startswith("workflows/")
        ]
    (workflow,) = started
    assert workflow["spec"]["workflowTemplateRef"] == {"name": "pokewatch.prod.pokewatchflow"}
    given = {
        each["name"]: json.loads(each["value"])
        for each in workflow["spec"]["arguments"]["parameters"]
    }
    assert {name: str(given[name]) for name in market.parameters()} == market.parameters()
    assert Registry().get_state("retrained_on.simulated-0") == "2026-01-31"


def test_a_retraining_that_cannot_be_started_starts_no_cool_down(
    tmp_path: Path, s3: str, registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kubernetes() as cluster:
        env = environment(tmp_path, s3, cluster.kubeconfig(tmp_path))
        pod = env | {"ARGO_WORKFLOW_TEMPLATE": "pokewatch.prod.pokewatchmonitor"}
        for name, value in (pod | {"POKEWATCH_HOME": str(registry_home)}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RetrainError, match=r"flow\.py ended with 1"):
            retrain(Market("simulated", 400), date(2026, 1, 31), [str(FLOW), "--production"])
    assert Registry().get_state("retrained_on.simulated-0") == ""


def test_what_the_account_may_do_is_what_argo_and_the_monitor_need() -> None:
    manifests = rendered_overlay(K8S / "overlays" / "production")
    (role,) = [each for each in manifests if each["kind"] == "Role"]
    may = {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    executor = {("workflowtaskresults", "create"), ("workflowtaskresults", "patch")}
    agent = {
        ("workflowtasksets", "list"),
        ("workflowtasksets", "watch"),
        ("workflowtasksets/status", "patch"),
    }
    # The runs of several markets are started and waited for.
    starting = {("workflowtemplates", "get"), ("workflows", "create"), ("workflows", "get")}
    assert may == executor | agent | starting


def test_argo_asks_nobody_on_the_internet(created: dict[str, Manifest]) -> None:
    """Metaflow's exit hooks include an HTTP request; its failure would be that of the run."""
    spec = created["workflowtemplates"]["spec"]
    (asked,) = [each["http"]["url"] for each in spec["templates"] if "http" in each]
    environment = json.loads(CLUSTER.read_text())["environment"]
    assert asked == f"{environment['MLFLOW_TRACKING_URI']}/health"
    assert spec["serviceAccountName"] == "pokewatch-pipeline"


@pytest.mark.parametrize("flow", ["created", "monitor"])
def test_every_pod_is_one_that_the_namespace_admits(
    flow: str, request: pytest.FixtureRequest
) -> None:
    """Steps and exit hooks, with the containers that Argo adds to each."""
    templates = request.getfixturevalue(flow)["workflowtemplates"]["spec"]["templates"]
    pods = [each for each in templates if "container" in each]
    assert {"success-notify-success", "error-notify-failure"} < {each["name"] for each in pods}
    for each in pods:
        patch = json.loads(each["podSpecPatch"])
        assert [added["name"] for added in patch["containers"]] == ["wait"]
        assert [added["name"] for added in patch["initContainers"]] == ["init"]
        pod = {
            "containers": [each["container"], *patch["containers"]],
            "initContainers": patch["initContainers"],
        }
        assert list(restricted_violations(pod)) == []
        # the image of Argo's executor is root's, which no node starts then
        containers = [*pod["containers"], *pod["initContainers"]]
        assert {each["securityContext"]["runAsUser"] for each in containers} == {10001}


def test_exit_hooks_know_the_registry_where_notifications_are_counted(
    templates: dict[str, Manifest],
) -> None:
    environment = {
        name: value
        for name, value in json.loads(CLUSTER.read_text())["environment"].items()
        if not name.startswith("METAFLOW_")  # a hook fetches no artifacts
    }
    for name in ("success-notify-success", "error-notify-failure"):
        given = {each["name"]: each.get("value") for each in templates[name]["container"]["env"]}
        assert environment.items() <= given.items()


def test_argos_own_models_take_both(created: dict[str, Manifest]) -> None:
    template: Any = WorkflowTemplate.from_dict(created["workflowtemplates"])
    cron: Any = CronWorkflow.from_dict(created["cronworkflows"])
    assert template.name == "pokewatch.prod.pokewatchflow"
    assert cron.schedules == ["0 2 * * *"]
    assert cron.concurrency_policy == "Forbid"


@pytest.mark.parametrize(("in_pod", "code"), [("", 2), ("1", 202)], ids=["a user", "a pod"])
def test_wrong_parameters_of_a_run_by_argo_are_not_retried(
    in_pod: str, code: int, tmp_path: Path, s3: str
) -> None:
    """Argo reads them in the first pod."""
    env = environment(tmp_path, s3) | {"METAFLOW_KUBERNETES_WORKLOAD": in_pod}
    done = start("run", "--source", "nowhere", env=env, cwd=tmp_path)
    assert "unknown source" in done.stdout + done.stderr
    assert done.returncode == code


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
