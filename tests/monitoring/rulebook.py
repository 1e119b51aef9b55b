"""The committed rules, read."""

from typing import Any

import yaml

from tests.conftest import ROOT

MONITORING = ROOT / "k8s" / "monitoring"
RULE_FILES = sorted((MONITORING / "rules").glob("*.yaml"))


def rules() -> list[dict[str, Any]]:
    """Every rule of every file, in order."""
    return [
        rule
        for path in RULE_FILES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def records() -> dict[str, dict[str, Any]]:
    """The recording rules by name."""
    return {rule["record"]: rule for rule in rules() if "record" in rule}
