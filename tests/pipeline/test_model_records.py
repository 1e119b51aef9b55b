"""The decisions of the gate in the registry."""

import json
from pathlib import Path

import pytest

from pokewatch.checks import Check
from pokewatch.pipeline.model_records import (
    CARD,
    GATE,
    GATE_DOCUMENT,
    check_metrics,
    gate_document,
    record_gate,
    record_refusal,
)
from pokewatch.registry import Registry
from tests.champion import make_champion

pytestmark = pytest.mark.integration

PASSED = Check("mape", "<= 15%", "4.2%", True, "mean error")
FAILED = Check("interval coverage", "0.86 to 0.94", "0.70", False, "the interval is too narrow")
UNJUDGED = Check("champion", "<= 0.5%", "-", True, "there is no champion", judged=False)


def test_the_checks_as_a_document_and_as_metrics() -> None:
    document = gate_document([PASSED, FAILED, UNJUDGED], ["median7 beats last"])
    assert json.loads(json.dumps(document)) == document
    assert (document["passed"], document["reasons"]) == (False, ["median7 beats last"])
    assert [row["result"] for row in document["checks"]] == ["passed", "failed", "not judged"]
    assert check_metrics([PASSED, FAILED]) == {"gate_mape": 1.0, "gate_interval_coverage": 0.0}


def test_a_version_has_its_checks_and_its_card(registry_home: Path) -> None:
    model = make_champion(cards=120, days=60).model
    registry = Registry()
    for _ in range(2):  # the step may be retried
        record_gate(registry, model, [PASSED, UNJUDGED], ["the simplest"])
    assert registry.document(model, GATE_DOCUMENT)["passed"]
    assert registry.version(model.version).tags[GATE] == "passed"
    with registry.client("test") as client:
        run = client.get_run(model.run_id)
        described = client.get_model_version(registry.name, model.version).description
        card = Path(client.download_artifacts(model.run_id, CARD, str(registry_home))).read_text()
    assert (run.data.tags[GATE], run.data.metrics["gate_mape"]) == ("passed", 1.0)
    assert described == card
    assert f"version {model.version}" in card
    assert "| mape | 4.2%, wanted <= 15%: passed |" in card


def test_a_refusal_is_a_run_without_a_version(registry_home: Path) -> None:
    registry = Registry()
    run_id = record_refusal(registry, "median7", [PASSED, FAILED])
    with registry.client("test") as client:
        run = client.get_run(run_id)
    assert (run.data.tags[GATE], run.data.params["model"]) == ("refused", "median7")
    assert run.data.metrics["gate_interval_coverage"] == 0.0
    assert registry.versions() == []
