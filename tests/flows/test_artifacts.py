"""The artifacts of the flows, which Metaflow checks only when a step runs."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

CONSTANTS = {"Parameter", "Config"}
CLASSES = {
    node.name: node
    for path in sorted((ROOT / "flows").glob("*.py"))
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ClassDef)
}


def lineage(name: str) -> Iterator[ast.ClassDef]:
    """Yield a class of the flows and its base classes."""
    if name in CLASSES:
        yield CLASSES[name]
        for base in CLASSES[name].bases:
            yield from lineage(ast.unparse(base))


def constants(name: str) -> set[str]:
    """Return the names of a flow's parameters, which a step cannot set."""
    return {
        ast.unparse(statement.targets[0])
        for each in lineage(name)
        for statement in each.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and ast.unparse(statement.value.func) in CONSTANTS
    }


def artifacts(name: str) -> set[str]:
    """Return the names that the methods of a flow set."""
    return {
        node.attr
        for each in lineage(name)
        for node in ast.walk(each)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
    }


@pytest.mark.parametrize("flow", [name for name in CLASSES if constants(name)])
def test_no_step_sets_a_parameter(flow: str) -> None:
    assert not constants(flow) & artifacts(flow)


def test_the_parameters_of_base_classes_are_found() -> None:
    assert {"days", "market", "deployment"} <= constants("PokeWatchMonitor")
    assert {"found", "action", "promotion"} <= artifacts("PokeWatchMonitor")
