"""checkov finds nothing in the rendered manifests but exceptions with a reason."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from tests.k8s.rendering import APPLIED, rendered_jobs, rendered_overlay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHECKOV = "checkov==3.3.30"
SKIPPED = {
    "CKV_K8S_15": "a tag names one build; Always would query the registry at every start, "
    "and the local overlay's images are in none",
    "CKV_K8S_35": "the programs read these secrets from the environment; whoever can read it in a "
    "pod can read a mounted file as well",
    "CKV_K8S_43": "a digest is known once an image is pushed: `kustomize edit set image` sets it "
    "in a copy of the production overlay",
}
ROOT_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "broken", "namespace": "pokewatch"},
    "spec": {
        "containers": [{"name": "broken", "image": "x:1", "securityContext": {"privileged": True}}]
    },
}


def _failed(folder: Path) -> dict[str, set[str]]:
    """Return the failed checks by file name. checkov runs in an environment apart."""
    uv = Path(sys.executable).with_name("uv")
    command = [
        str(uv),
        "tool",
        "run",
        "--quiet",
        "--from",
        CHECKOV,
        "checkov",
        "--skip-download",
        "--framework",
        "kubernetes",
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("POKEWATCH_")}
    done = subprocess.run(
        [*command, "--directory", ".", "--output", "json"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # something failed; any other end is checkov's own
    failed = defaultdict(set)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    for check in report["results"]["failed_checks"]:
        failed[Path(check["file_path"]).name].add(check["check_id"])
    return dict(failed)


def test_checkov_finds_what_is_broken_and_in_the_manifests_only_what_is_left_for_a_reason(
    tmp_path: Path,
) -> None:
    for name, overlay in APPLIED.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(rendered_overlay(overlay)))
    jobs = rendered_jobs()
    for name, job in jobs.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(job))
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(ROOT_POD))

    failed = _failed(tmp_path)

    assert {"CKV_K8S_16", "CKV_K8S_40", "CKV_K8S_22"} <= failed.pop(
        "broken.yaml"
    )  # privileged, root, a writable root file system
    assert failed.keys() == {f"{name}.yaml" for name in (*APPLIED, *jobs)}
    assert set.union(*failed.values()) == SKIPPED.keys()
