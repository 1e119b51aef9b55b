"""Where alerts go, by the real amtool, and that no secret is in the file."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.monitoring.rulebook import MONITORING, alerts
from tests.tools import require_tool

CONFIG = MONITORING / "alertmanager.yml"


def _amtool(*arguments: str) -> str:
    done = subprocess.run(
        [require_tool("amtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _config() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return found


def test_amtool_accepts_the_configuration() -> None:
    assert "SUCCESS" in _amtool("check-config", str(CONFIG))


@pytest.mark.parametrize("name", alerts())
def test_every_alert_finds_its_receiver(name: str) -> None:
    severity = alerts()[name]["labels"]["severity"]
    receiver = _amtool(
        "config",
        "routes",
        "test",
        "--config.file",
        str(CONFIG),
        f"alertname={name}",
        f"severity={severity}",
    )
    assert receiver.strip() == f"{severity}s"


def test_a_page_goes_to_slack_to_mail_and_to_the_webhook() -> None:
    ways = {
        receiver["name"]: {kind for kind in receiver if kind.endswith("_configs")}
        for receiver in _config()["receivers"]
    }
    assert ways == {
        "pages": {"slack_configs", "email_configs", "webhook_configs"},
        "tickets": {"slack_configs", "email_configs"},
    }


def test_secrets_are_read_from_files() -> None:
    text = CONFIG.read_text()
    files = set(re.findall(r"/etc/alertmanager/secrets/(\w+)", text))
    example = next(yaml.safe_load_all((MONITORING / "secrets.example.yaml").read_text()))
    assert files == set(example["stringData"])
    assert set(example["stringData"].values()) == {""}
    assert (
        re.findall(
            r"(api_url|auth_password|credentials|bearer_token|service_key|routing_key): ", text
        )
        == []
    )
    assert {
        each["url"]
        for receiver in _config()["receivers"]
        for each in receiver.get("webhook_configs", [])
    } == {"https://pager.example.com/pokewatch"}


def test_alerts_are_inhibited_only_by_existing_alerts() -> None:
    for rule in _config()["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            kind, pattern = re.fullmatch(r'alertname(=~?)"(.+)"', matcher).groups()  # type: ignore[union-attr]
            found = [
                name
                for name in alerts()
                if (name == pattern if kind == "=" else re.fullmatch(pattern, name))
            ]
            assert found, matcher
            if kind == "=~":
                assert all(
                    any(re.fullmatch(part, name) for name in alerts()) for part in _parts(pattern)
                ), matcher


def _parts(pattern: str) -> list[str]:
    """`a|(b|c)d` as a, (b|c)d."""
    return re.split(r"\|(?![^(]*\))", pattern)
