"""Flows as people start them: `python flow.py ...`, under a deploy config."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import ROOT
from tests.s3 import CREDENTIALS

FLOW = ROOT / "flows" / "flow.py"
CLUSTER = ROOT / "flows" / "configs" / "cluster.json"
NAMESPACE = str(json.loads(CLUSTER.read_text())["namespace"])


def environment(home: Path, s3: str, kubeconfig: Path | None = None) -> dict[str, str]:
    """Return the environment of a user who starts flows on a cluster."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("METAFLOW_", "POKEWATCH_", "AWS_"))
    }
    given = {
        "POKEWATCH_HOME": str(home),
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://flows/metaflow",
        "METAFLOW_S3_ENDPOINT_URL": s3,
        "METAFLOW_KUBERNETES_NAMESPACE": NAMESPACE,
        "METAFLOW_USER": "tester",
    }
    return kept | CREDENTIALS | given | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})


def start(
    *arguments: str, env: Mapping[str, str], cwd: Path, flow: Path = FLOW
) -> subprocess.CompletedProcess[str]:
    """Run a flow's command to its end."""
    return subprocess.run(
        [sys.executable, str(flow), *arguments],
        cwd=cwd,
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
    )
