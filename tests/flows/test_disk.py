"""The disk that steps ask for."""

import ast

import pytest

from tests.conftest import ROOT

# The steps that may open the price books of two versions: a deploy, and that of a winner.
DEPLOYING = [("flow.py", "deploy"), ("monitor.py", "act")]


@pytest.mark.parametrize(("file", "step"), DEPLOYING)
def test_a_step_that_deploys_has_room_for_two_price_books(file: str, step: str) -> None:
    """Of ten times the cards of today, which docs/kubernetes.md says fit: 4.6 GB each."""
    (disk,) = (
        keyword.value.value
        for node in ast.walk(ast.parse((ROOT / "flows" / file).read_text()))
        if isinstance(node, ast.FunctionDef) and node.name == step
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "kubernetes"
        for keyword in decorator.keywords
        if keyword.arg == "disk" and isinstance(keyword.value, ast.Constant)
    )
    assert disk == 20_480
