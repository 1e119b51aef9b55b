"""The documents agree with the rules, the metrics and the settings."""

import re
from typing import Any

import pytest

from pokewatch.settings import GateSettings, MonitorSettings, sections
from tests.conftest import ROOT
from tests.monitoring.rulebook import alerts, records
from tests.reference.metrics import full_name, gateway_metrics, runtime_metrics

DOCS = ROOT / "docs"
PAGES = ("monitoring.md", "runbook.md", "slo.md")


def _text(page: str) -> str:
    return (DOCS / page).read_text()


def _sections() -> dict[str, str]:
    _, *found = re.split(r"^## ", _text("runbook.md"), flags=re.MULTILINE)
    return {section.partition("\n")[0]: section for section in found}


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    assert sorted(_sections()) == sorted(alerts())


@pytest.mark.parametrize("name", alerts())
def test_a_section_has_severity_diagnosis_and_remedy(name: str) -> None:
    section, rule = _sections()[name], alerts()[name]
    assert f"`{rule['labels']['severity']}`" in section.splitlines()[2]
    if "for" in rule:
        number, unit = rule["for"][:-1], {"m": "minute", "h": "hour"}[rule["for"][-1]]
        assert f", {number} {unit}" in section.splitlines()[2] or rule["for"] == "5m"
    assert re.search(r"^- Look at", section, re.MULTILINE)
    assert re.search(r"^- Do: |^- Look at and do: ", section, re.MULTILINE)


def test_the_table_of_alerts_is_complete() -> None:
    table = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| (page|ticket) \|", _text("monitoring.md"), re.MULTILINE
    )
    listed = {name: severity for names, severity in table for name in re.findall(r"\w+", names)}
    assert listed == {name: rule["labels"]["severity"] for name, rule in alerts().items()}


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_setting_and_page_that_is_named_exists(page: str) -> None:
    text = _text(page)
    metrics = {full_name(metric) for metric in (*gateway_metrics(), *runtime_metrics())}
    settings = {section.variable(name) for section in sections() for name in section.model_fields}
    assert set(re.findall(r"`(pokewatch_[a-z_]+)[`{]", text)) <= metrics
    assert set(re.findall(r"\bPOKEWATCH_[A-Z_]+", text)) <= settings
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (DOCS / link).exists(), link
    for path in re.findall(r"(?<![\w/])((?:k8s|tests)/[\w./-]+)", text):
        assert (ROOT / path.rstrip(".")).exists(), path


def test_the_bounds_are_the_same_everywhere() -> None:
    gate, monitor = GateSettings.read(), MonitorSettings.read()
    low, high = gate.gate_interval_low, gate.gate_interval_high
    assert (monitor.monitor_coverage_low, monitor.monitor_coverage_high) == (low, high)
    assert f"less than {low:.0%} or more than {high:.0%}" in _text("runbook.md")
    assert f"covers {low:.0%} to {high:.0%}" in _text("slo.md")
    bounds = f"coverage_90_high:ratio < {low:g} "
    bounds += f"or pokewatch:renewed_coverage_90_low:ratio > {high:g}"
    assert bounds in alerts()["CalibrationOutOfBand"]["expr"]
    assert (
        alerts()["ModelErrorHigh"]["expr"]
        == f"pokewatch:rmae_last:ratio > {monitor.monitor_rmae:g}"
    )
    assert alerts()["DriftFound"]["expr"].endswith(f" >= {monitor.monitor_drift:g}")
    counts = dict.fromkeys(("coverage_90", "coverage_90_high"), "interval_coverage_n")
    counts["renewed_coverage_90_low"] = "interval_coverage_renewed_n"
    for name, count in (counts | {"rmae_last": "n"}).items():
        assert (
            f'pokewatch_monitoring{{metric="{count}"}} < {monitor.monitor_rows}'
            in records()[f"pokewatch:{name}:ratio"]["expr"]
        )
    assert (
        alerts()["StaleData"]["expr"]
        == f"pokewatch:data_age:seconds > {monitor.monitor_stale_hours:g} * 3600"
    )


@pytest.mark.parametrize(
    ("kind", "budget", "column"),
    [("errors", "0.001", 0), ("slow", "0.05", 1)],
    ids=["availability", "latency"],
)
def test_the_table_of_burn_rates_is_that_of_the_rules(kind: str, budget: str, column: int) -> None:
    rows = re.findall(
        r"^\| ([\d.]+) \| .* \| (page|ticket) \| ([\d.]+)% \| ([\d.]+)% \|$",
        _text("slo.md"),
        re.MULTILINE,
    )
    documented = [
        (float(rate), severity, float((failed, slow)[column]))
        for rate, severity, failed, slow in rows
    ]
    objective = {"errors": "availability", "slow": "latency"}[kind]
    ruled: list[tuple[float, Any, Any]] = []
    for rule in alerts().values():
        if rule["labels"].get("objective") == objective:
            (rate,) = set(
                re.findall(rf"gateway_{kind}:ratio_rate\w+ > ([\d.]+) \* {budget}", rule["expr"])
            )
            ruled.append(
                (
                    float(rate),
                    rule["labels"]["severity"],
                    pytest.approx(100 * float(rate) * float(budget)),
                )
            )
    assert documented == ruled
