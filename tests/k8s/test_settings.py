"""A setting that is changed in the manifests starts new pods, and only of what reads it."""

import shutil
from pathlib import Path

import pytest

from tests.k8s.rendering import K8S, rendered_overlay
from tests.k8s.rules import Manifest

# A line of a kustomization and its replacement, and the workloads that read it.
CHANGES = {
    "the gateway's": (
        "base",
        "POKEWATCH_DRAIN_SECONDS=10",
        "POKEWATCH_DRAIN_SECONDS=11",
        {"Deployment gateway"},
    ),
    "MLServer's": (
        "base",
        "MLFLOW_HTTP_REQUEST_TIMEOUT=20",
        "MLFLOW_HTTP_REQUEST_TIMEOUT=21",
        {"Deployment mlserver"},
    ),
    "the registry's": (
        "base",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_DEFAULT_REGION=eu-west-1",
        {"Deployment mlflow"},
    ),
    "the registry's, of the overlay": (
        "overlays/local",
        "MLFLOW_S3_ENDPOINT_URL=http://minio.pokewatch.svc:9000",
        "MLFLOW_S3_ENDPOINT_URL=http://s3.pokewatch.svc:9000",
        {"Deployment mlflow"},
    ),
    "a password": (
        "overlays/local",
        "[password=local-redis, \"url=redis://:local-redis@",
        "[password=another, \"url=redis://:another@",
        {"Deployment gateway", "Deployment redis"},
    ),
}  # fmt: skip


def _templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {
        f"{each['kind']} {each['metadata']['name']}": each["spec"]["template"]
        for each in manifests
        if each["kind"] in ("Deployment", "StatefulSet")
    }


@pytest.mark.parametrize(
    ("part", "before", "after", "readers"), CHANGES.values(), ids=CHANGES.keys()
)
def test_a_changed_setting_starts_new_pods_of_those_that_read_it(
    part: str, before: str, after: str, readers: set[str], tmp_path: Path
) -> None:
    folder = shutil.copytree(K8S, tmp_path / "k8s")
    old = _templates(rendered_overlay(folder / "overlays" / "local"))
    kustomization = folder / part / "kustomization.yaml"
    text = kustomization.read_text()
    assert text.count(before) == 1
    kustomization.write_text(text.replace(before, after))
    new = _templates(rendered_overlay(folder / "overlays" / "local"))
    assert {name for name in old if old[name] != new[name]} == readers


def test_the_script_that_ran_once_restarts_no_database(tmp_path: Path) -> None:
    folder = shutil.copytree(K8S, tmp_path / "k8s")
    old = _templates(rendered_overlay(folder / "overlays" / "production"))
    script = folder / "base" / "watches.sh"
    script.write_text(script.read_text() + "# again\n")
    assert _templates(rendered_overlay(folder / "overlays" / "production")) == old


def test_what_the_flows_name_keeps_its_name() -> None:
    names = {
        each["metadata"]["name"]
        for each in rendered_overlay(K8S / "overlays" / "local")
        if each["kind"] == "Secret" and each["metadata"]["namespace"] == "pokewatch-flows"
    }
    assert names == {"pokewatch-pipeline"}
