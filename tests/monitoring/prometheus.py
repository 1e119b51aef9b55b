"""A real Prometheus with the committed configuration and rules, and a test's targets."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.gateway.conftest import Gateway
from tests.monitoring.rulebook import MONITORING, RULE_FILES
from tests.polling import eventually
from tests.serving.server import Server, free_ports
from tests.tools import require_tool

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query. Raise AssertionError where it is refused."""
        url, parameters = f"{self.url}/api/v1/query", {"query": expression}
        answer = httpx.get(url, params=parameters, timeout=10, verify=False)
        found = answer.json()
        assert found["status"] == "success", (expression, found)
        result: list[dict[str, Any]] = found["data"]["result"]
        return result

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts = httpx.get(f"{self.url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def faults(self) -> list[str]:
        """What Prometheus has to say against any rule."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        return [
            rule["lastError"]
            for group in groups
            for rule in group["rules"]
            if rule.get("lastError")
        ]


def shortened(folder: Path, factor: int) -> list[Path]:
    """Return the committed rules with windows and waits `factor` times shorter; ages stay."""
    paths = []
    for path in RULE_FILES:
        content = yaml.safe_load(path.read_text())
        for group in content["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule["expr"] = re.sub(
                    r"\[(\w+)\]", lambda found: f"[{_shorter(found[1], factor)}]", rule["expr"]
                )
                rule["expr"] = re.sub(
                    r"offset (\w+)",
                    lambda found: f"offset {_shorter(found[1], factor)}",
                    rule["expr"],
                )
                if "for" in rule:
                    rule["for"] = _shorter(rule["for"], factor)
        target = folder / path.name
        target.write_text(yaml.safe_dump(content))
        paths.append(target)
    return paths


def _shorter(span: str, factor: int) -> str:
    seconds = int(span[:-1]) * _UNITS[span[-1]]
    return f"{max(1, seconds // factor)}s"


def targets(gateway: Gateway, *servers: Server) -> dict[str, list[str]]:
    """A gateway and MLServers as Prometheus finds them."""
    return {
        "gateway": [f"127.0.0.1:{gateway.app.assembly.metrics_server.port}"],
        "mlserver": [f"127.0.0.1:{server.metrics_port}" for server in servers],
    }


@contextmanager
def prometheus(
    folder: Path, found: Mapping[str, Sequence[str]], rules: Sequence[Path], alertmanager: str = ""
) -> Iterator[Prometheus]:
    """The committed configuration every second, over the targets `found` (addresses by job)."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    config["rule_files"] = [str(path) for path in rules]
    config["alerting"]["alertmanagers"] = [
        {"static_configs": [{"targets": [alertmanager] if alertmanager else []}]}
    ]
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in found]
    assert {job["job_name"] for job in jobs} == set(found)
    for job in jobs:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": list(found[job["job_name"]])}]
    config["scrape_configs"] = jobs
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    command = [
        require_tool("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]
    with _process(command, folder / "prometheus.log", f"http://127.0.0.1:{port}/-/ready"):
        yield Prometheus(f"http://127.0.0.1:{port}")


@contextmanager
def alertmanager(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """The address of a real Alertmanager."""
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(dict(config)))
    (port,) = free_ports(1)
    command = [
        require_tool("prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _process(command, folder / "alertmanager.log", f"http://127.0.0.1:{port}/-/ready"):
        yield f"127.0.0.1:{port}"


@contextmanager
def _process(command: Sequence[str], log: Path, ready: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: _answers(process, ready, log), bool)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-4000:]
    try:
        return httpx.get(url, timeout=5, verify=False).status_code == 200
    except httpx.TransportError:
        return False
