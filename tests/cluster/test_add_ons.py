from pathlib import Path

import pytest

from tests.cluster.programs import version

SCRIPT = Path(__file__).with_name("add-ons.sh").read_text()


@pytest.mark.parametrize(
    ("repository", "program"),
    [
        ("argoproj/argo-workflows", "workflow-controller"),
        ("kubernetes-sigs/metrics-server", "metrics-server"),
        ("envoyproxy/gateway", "envoy-gateway"),
        ("cert-manager/cert-manager", "cert-manager-controllers"),
    ],
)
def test_a_named_cluster_gets_the_versions_that_the_tests_build(
    repository: str, program: str
) -> None:
    assert f"/{repository}/releases/download/{version(program)}/" in SCRIPT
