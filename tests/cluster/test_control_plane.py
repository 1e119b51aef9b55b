"""What a real API server, its controllers and its scheduler do with the manifests."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.definitions import ARGO, ENVOY_GATEWAY, GATEWAY_API, definitions
from tests.cluster.flow import CLUSTER, FLOW, environment, start
from tests.cluster.named import is_named, named_control_plane
from tests.k8s.rendering import APPLIED, K8S, rendered_jobs
from tests.polling import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

STRICT = ("apply", "--server-side", "--validate=strict")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that knows the custom kinds of the production overlay, and Argo's."""
    folder = tmp_path_factory.mktemp("plane")
    with named_control_plane(folder) if is_named() else control_plane(folder) as found:
        for each in (GATEWAY_API, ENVOY_GATEWAY, ARGO):
            # a named cluster may have them, from those who installed it
            kinds = [
                kind
                for kind in definitions(*each)
                if not found.has("customresourcedefinition", kind["metadata"]["name"])
            ]
            if kinds:
                found.kubectl(*STRICT, "--filename", "-", sent=yaml.safe_dump_all(kinds))
        yield found


@pytest.fixture(scope="module")
def applied(plane: ControlPlane) -> ControlPlane:
    """With the local overlay and the Secret that `make deploy` makes."""
    plane.kubectl(*STRICT, "--kustomize", str(APPLIED["local"]))
    return plane


def _pods(plane: ControlPlane, namespace: str, name: str) -> list[str]:
    selector = f"app.kubernetes.io/name={name}"
    found = plane.get("pods", "--namespace", namespace, "--selector", selector)["items"]
    return [each["metadata"]["name"] for each in found]


@pytest.mark.parametrize("overlay", APPLIED)
def test_everything_is_admitted_by_strict_validation(overlay: str, plane: ControlPlane) -> None:
    """Of an overlay that is applied to nothing, twice, so that the second finds all unchanged."""
    for _ in range(2):
        shown = plane.kubectl(*STRICT, "--kustomize", str(APPLIED[overlay]), "--warnings-as-errors")
        assert shown.count("serverside-applied") == len(shown.splitlines())


def test_a_misspelt_field_is_refused(plane: ControlPlane, tmp_path: Path) -> None:
    folder = shutil.copytree(K8S, tmp_path / "k8s")
    manifest = folder / "base" / "gateway.yaml"
    manifest.write_text(manifest.read_text().replace("readinessProbe:", "readynessProbe:"))
    overlay = str(folder / "overlays" / "local")
    fault = plane.kubectl(*STRICT, "--kustomize", overlay, fails=True)
    assert "readynessProbe" in fault


def test_every_workload_gets_its_pods(applied: ControlPlane) -> None:
    """No admission, quota or limit keeps a controller from making them."""
    for name in ("gateway", "mlserver", "mlflow", "postgres", "redis", "minio"):
        eventually(lambda name=name: _pods(applied, "pokewatch", name), bool)  # type: ignore[misc]
    assert not [
        each["message"]
        for each in applied.get("events", "--namespace", "pokewatch")["items"]
        if each["reason"] == "FailedCreate"
    ]


@pytest.mark.parametrize("name", rendered_jobs())
def test_the_pods_of_the_jobs_are_admitted(name: str, applied: ControlPlane) -> None:
    applied.kubectl("create", "--filename", "-", sent=yaml.safe_dump(rendered_jobs()[name]))
    assert eventually(lambda: _pods(applied, "pokewatch-flows", name), bool)


@pytest.mark.parametrize("namespace", ["pokewatch", "pokewatch-flows", "monitoring"])
def test_a_pod_that_is_not_locked_down_is_refused(namespace: str, applied: ControlPlane) -> None:
    applied.kubectl(*STRICT, "--kustomize", str(APPLIED["monitoring"]))
    options = ["--namespace", namespace, "--image", "x:1", "--restart", "Never"]
    fault = applied.kubectl("run", "loose", *options, fails=True)
    assert 'violates PodSecurity "restricted:latest"' in fault


def test_a_changed_setting_rolls_the_pods_of_those_that_read_it(
    applied: ControlPlane, tmp_path: Path
) -> None:
    before = {name: _pods(applied, "pokewatch", name) for name in ("gateway", "mlserver")}
    folder = shutil.copytree(K8S, tmp_path / "k8s")
    kustomization = folder / "base" / "kustomization.yaml"
    text = kustomization.read_text()
    kustomization.write_text(
        text.replace("POKEWATCH_DRAIN_SECONDS=10", "POKEWATCH_DRAIN_SECONDS=9")
    )
    applied.kubectl(*STRICT, "--kustomize", str(folder / "overlays" / "local"))
    new = eventually(
        lambda: set(_pods(applied, "pokewatch", "gateway")) - set(before["gateway"]), bool
    )
    assert len(new) == 1
    assert _pods(applied, "pokewatch", "mlserver") == before["mlserver"]


def _allowed(plane: ControlPlane, verb: str, resource: str, namespace: str) -> bool:
    """Return whether the account of the flows may do that."""
    kind, _, sub = resource.partition("/")
    name, _, group = kind.partition(".")
    attributes = {"verb": verb, "resource": name, "group": group, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:pokewatch-flows:pokewatch-pipeline",
            "resourceAttributes": attributes | ({"subresource": sub} if sub else {}),
        },
    }
    options = ("create", "--filename", "-", "--output", "json")
    answer = json.loads(plane.kubectl(*options, sent=json.dumps(review)))
    return bool(answer["status"]["allowed"])


def test_the_account_of_the_flows_may_do_what_it_needs_and_no_more(applied: ControlPlane) -> None:
    flows = "pokewatch-flows"
    assert _allowed(applied, "create", "workflows.argoproj.io", flows)
    assert _allowed(applied, "patch", "workflowtasksets.argoproj.io/status", flows)
    assert not _allowed(applied, "create", "workflows.argoproj.io", "pokewatch")
    for verb, kind in (("create", "pods"), ("get", "secrets"), ("delete", "workflows.argoproj.io")):
        assert not _allowed(applied, verb, kind, flows)


def test_argo_takes_the_flows_and_the_monitors_account_starts_one(
    applied: ControlPlane, s3: str, tmp_path: Path
) -> None:
    """As `flow.py argo-workflows create` and a step of the monitor send them."""
    options = ["--production", "--config", "deploy", str(CLUSTER), "argo-workflows"]
    for flow in (FLOW, FLOW.with_name("monitor.py"), FLOW.with_name("backfill.py")):
        env = environment(tmp_path, s3, applied.kubeconfig)
        done = start(*options, "create", env=env, cwd=tmp_path, flow=flow)
        assert done.returncode == 0, done.stdout + done.stderr
    namespace = ("--namespace", "pokewatch-flows")
    crons = applied.get("cronworkflows", *namespace)["items"]
    assert {each["spec"]["concurrencyPolicy"] for each in crons} == {"Forbid"}

    token = applied.kubectl("create", "token", "pokewatch-pipeline", *namespace).strip()
    config = yaml.safe_load(applied.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "account").write_text(yaml.safe_dump(config))
    env = environment(tmp_path, s3, tmp_path / "account")
    done = start(*options, "trigger", "--cards", "300", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (workflow,) = applied.get("workflows", *namespace)["items"]
    assert workflow["spec"]["workflowTemplateRef"]["name"] == "pokewatch.prod.pokewatchflow"
