"""The rules under k8s/monitoring, by the real promtool."""

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.alerts import ALERTS
from tests.monitoring.records import RECORDS
from tests.monitoring.rulebook import RULE_FILES, alerts, records, rules
from tests.monitoring.series import Case, Record
from tests.reference.metrics import full_name, gateway_metrics, runtime_metrics
from tests.tools import require_tool


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require_tool("promtool"), *arguments], capture_output=True, text=True, check=False
    )


def _test(folder: Path, name: str, given: Case | Record, **test: Any) -> None:
    """Run one promtool unit test of the file with the rule `name`. Raise AssertionError."""
    (file,) = [
        path
        for path in RULE_FILES
        if re.search(rf"^ *- (alert|record): {name}$", path.read_text(), re.MULTILINE)
    ]
    content = {
        "rule_files": [str(file)],
        "group_eval_order": [group["name"] for group in yaml.safe_load(file.read_text())["groups"]],
        "evaluation_interval": f"{given.step}m",
        "tests": [
            {
                "interval": f"{given.step}m",
                "input_series": [
                    {"series": name, "values": values} for name, values in given.series.items()
                ],
                **{
                    kind: [{**each, "eval_time": f"{given.at * given.step}m"}]
                    for kind, each in test.items()
                },
            }
        ],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(content))
    done = _promtool("test", "rules", str(folder / "test.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def _expected(case: Case) -> dict[str, Any]:
    """The alert as it must arrive, in the words of the rule with the case's figures put in."""
    assert case.labels is not None
    rule, labels = alerts()[case.alert], case.labels

    def written(text: str) -> str:
        text = re.sub(
            r"\{\{ with \$labels\.(\w+) \}\}(.*?)\{\{ \. \}\}\{\{ end \}\}",
            lambda found: found[2] + labels[found[1]] if found[1] in labels else "",
            text,
        )
        text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
        return re.sub(r"\{\{ \$value[^}]*\}\}", case.value, text)

    return {
        "exp_labels": {**rule["labels"], **labels},
        "exp_annotations": {name: written(text) for name, text in rule["annotations"].items()},
    }


@pytest.mark.integration
@pytest.mark.parametrize("case", ALERTS, ids=lambda case: f"{case.alert}: {case.name}")
def test_alert(case: Case, tmp_path: Path) -> None:
    wanted = [] if case.labels is None else [_expected(case)]
    _test(
        tmp_path, case.alert, case, alert_rule_test={"alertname": case.alert, "exp_alerts": wanted}
    )


@pytest.mark.integration
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_record(record: Record, tmp_path: Path) -> None:
    samples = [{"labels": labels, "value": value} for labels, value in record.samples.items()]
    # Rounded: sums of floats differ in the last digit.
    _test(
        tmp_path,
        record.name,
        record,
        promql_expr_test={"expr": f"round({record.name}, 0.000001)", "exp_samples": samples},
    )


def test_every_alert_has_cases_that_fire_and_that_do_not() -> None:
    fires = Counter(case.alert for case in ALERTS if case.labels is not None)
    still = Counter(case.alert for case in ALERTS if case.labels is None)
    assert set(fires) == set(alerts()) == set(still)
    assert {record.name for record in RECORDS} == set(records())


def test_promtool_accepts_the_files() -> None:
    done = _promtool("check", "rules", "--lint-fatal", *map(str, RULE_FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", alerts())
def test_every_alert_has_texts(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert len(rule["annotations"]["description"].split()) > 8


def test_names_are_used_once() -> None:
    assert [
        name
        for name, count in Counter(rule.get("alert") or rule["record"] for rule in rules()).items()
        if count > 1
    ] == []


def test_every_metric_of_ours_in_a_rule_exists() -> None:
    known = {full_name(metric) for metric in (*gateway_metrics(), *runtime_metrics())}
    for rule in rules():
        for name in re.findall(r"\bpokewatch_[a-z_0-9]+", rule["expr"]):
            assert re.sub(r"_(bucket|count|sum)$", "", name) in known, rule
        for name in re.findall(r"\bpokewatch:[a-z_0-9:]+", rule["expr"]):
            assert name in records(), rule
