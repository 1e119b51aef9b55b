"""Prometheus scrapes the ports of the manifests, and every rule and dashboard is provisioned."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pokewatch.settings import GatewaySettings, ServingSettings
from tests.conftest import ROOT
from tests.monitoring.rulebook import MONITORING, RULE_FILES
from tests.tools import require_tool

CONFIGS = {
    "cluster": MONITORING / "prometheus.yml",
    "one machine": MONITORING / "local" / "prometheus.yml",
}

METRICS_PORT = GatewaySettings.model_fields[
    "gateway_metrics_port"
].default  # the tests' own is any free one


def _manifests(*folders: Path) -> list[dict[str, Any]]:
    paths = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    return [found for path in paths for found in yaml.safe_load_all(path.read_text())]


def _named(kind: str, name: str, *folders: Path) -> dict[str, Any]:
    (found,) = [
        each
        for each in _manifests(*folders)
        if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    return found


def _jobs(config: str) -> dict[str, dict[str, Any]]:
    return {
        job["job_name"]: job
        for job in yaml.safe_load(CONFIGS[config].read_text())["scrape_configs"]
    }


@pytest.mark.parametrize("config", CONFIGS)
def test_promtool_accepts_the_configuration_with_its_rules(config: str) -> None:
    done = subprocess.run(
        [require_tool("promtool"), "check", "config", str(CONFIGS[config])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(RULE_FILES)} rule files found" in done.stdout


@pytest.mark.parametrize(("job", "image"), [("gateway", "gateway"), ("mlserver", "serving")])
def test_every_replica_is_scraped_where_it_listens(job: str, image: str) -> None:
    (lookup,) = _jobs("cluster")[job]["dns_sd_configs"]
    (name,) = lookup["names"]
    service = _named("Service", name.split(".")[0], ROOT / "k8s" / "base")
    assert f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc" == name
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"], (
        "a replica that is not ready must be seen to be down"
    )
    port = {"gateway": METRICS_PORT, "serving": ServingSettings.read().mlserver_metrics_port}[image]
    assert lookup["port"] == port
    assert port in {each["port"] for each in service["spec"]["ports"]}
    egress = _named("NetworkPolicy", "prometheus", MONITORING)["spec"]["egress"]
    assert {"protocol": "TCP", "port": port} in [each for rule in egress for each in rule["ports"]]


def test_one_machine_is_scraped_at_the_default_ports() -> None:
    found = {
        name: job["static_configs"][0]["targets"] for name, job in _jobs("one machine").items()
    }
    assert found == {
        "gateway": [f"127.0.0.1:{METRICS_PORT}"],
        "mlserver": [f"127.0.0.1:{ServingSettings.read().mlserver_metrics_port}"],
    }


def test_alerts_find_the_alertmanager() -> None:
    (found,) = yaml.safe_load(CONFIGS["cluster"].read_text())["alerting"]["alertmanagers"]
    service = _named("Service", "alertmanager", MONITORING)
    port = service["spec"]["ports"][0]["port"]
    assert found["static_configs"][0]["targets"] == [
        f"alertmanager.{service['metadata']['namespace']}.svc:{port}"
    ]


def test_every_rule_and_every_dashboard_is_provisioned() -> None:
    made = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())["configMapGenerator"]
    files = {generator["name"]: set(generator["files"]) for generator in made}
    assert files["prometheus-rules"] == {f"rules/{path.name}" for path in RULE_FILES}
    assert files["grafana-dashboards"] == {
        f"dashboards/{path.name}" for path in (MONITORING / "dashboards").iterdir()
    }


def test_grafana_has_the_data_source_of_the_dashboards() -> None:
    (source,) = yaml.safe_load((MONITORING / "grafana" / "datasources.yaml").read_text())[
        "datasources"
    ]
    service = _named("Service", "prometheus", MONITORING)
    assert (
        source["url"]
        == f"http://prometheus.{service['metadata']['namespace']}.svc:{service['spec']['ports'][0]['port']}"
    )
    for path in (MONITORING / "dashboards").iterdir():
        panels = [
            panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"
        ]
        assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    (provider,) = yaml.safe_load((MONITORING / "grafana" / "dashboards.yaml").read_text())[
        "providers"
    ]
    grafana = _named("Deployment", "grafana", MONITORING)["spec"]["template"]["spec"]["containers"][
        0
    ]
    mounted = {mount["name"]: mount["mountPath"] for mount in grafana["volumeMounts"]}
    assert provider["options"]["path"] == mounted["dashboards"]
