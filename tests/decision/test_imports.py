import ast
from pathlib import Path

from pokewatch import decision


def test_decision_imports_nothing_else_of_pokewatch() -> None:
    names: list[str] = []
    for path in Path(decision.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            elif isinstance(node, ast.Import):
                names.extend(alias.name for alias in node.names)
    foreign = [name for name in names if name.startswith("pokewatch")]
    assert [name for name in foreign if not name.startswith("pokewatch.decision")] == []
