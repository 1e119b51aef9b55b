"""The decisions of the gate in the model registry: those on versions, and refusals."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pokewatch.checks import Check
from pokewatch.pipeline.model_card import model_card
from pokewatch.registry import RegisteredModel, Registry

GATE = "gate"  # tag of a run and of its version: PASSED or REFUSED
GATE_DOCUMENT = "gate.json"
CARD = "model_card.md"
PASSED, REFUSED = "passed", "refused"


def record_gate(
    registry: Registry, model: RegisteredModel, checks: Sequence[Check], reasons: Sequence[str]
) -> None:
    """Add the checks to the run of a version, and its model card to both. Raise RegistryError."""
    registry.log_document(model, GATE_DOCUMENT, gate_document(checks, reasons))
    registry.log_metrics(model, check_metrics(checks), 0)
    registry.set_tag(model.version, GATE, PASSED)
    facts = registry.open_book(model).facts
    card = model_card(model, facts, registry.document(model, "evaluation.json"), checks)
    with registry.client(f"version {model.version} cannot be described") as client:
        client.set_tag(model.run_id, GATE, PASSED)
        client.log_text(model.run_id, card, CARD)
        client.update_model_version(registry.name, model.version, card)


def record_refusal(registry: Registry, model: str, checks: Sequence[Check]) -> str:
    """Log a run for a model that the gate refused. Return its run id. Raise RegistryError."""
    return registry.log_run(
        None,
        parameters={"model": model},
        metrics=check_metrics(checks),
        tags={"model": model, GATE: REFUSED},
        documents={GATE_DOCUMENT: gate_document(checks, ())},
    )


def gate_document(checks: Sequence[Check], reasons: Sequence[str]) -> dict[str, Any]:
    """Return the checks, and why the model was selected, as plain JSON."""
    rows = [{**asdict(check), "result": check.result} for check in checks]
    return {"passed": all(check.passed for check in checks), "checks": rows, "reasons": [*reasons]}


def check_metrics(checks: Sequence[Check]) -> dict[str, float]:
    """Return 1 for each check that passed and 0 for one that failed, by name."""
    return {f"gate_{check.name.replace(' ', '_')}": float(check.passed) for check in checks}
