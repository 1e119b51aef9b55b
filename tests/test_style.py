"""The rules of how the code reads that a program can check."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = sorted((ROOT / "pokewatch").rglob("*.py"))
CODE = [*PACKAGE, *sorted((ROOT / "flows").rglob("*.py"))]
PROSE = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50

# What the project used to call things, and what the field calls them.
PRIVATE_WORDS = {
    r"doorman": "authentication",
    r"keyring": "key cache",
    r"lessons?": "training days",
    r"(?<!1st )editions?": "loaded book",
    r"judgements?": "backtest runner",
    r"shel(f|ves)": "loaded books",
    r"strangers?": "untrusted",
    r"by comma": "comma-separated",
    r"of one'?s own": "user-supplied",
    r"(is|are|was|were|be|been|as) told|told by|tells? (people|prometheus)": "reported, logged",
    r"learn(t|s|ed)? on": "training date",
    r"dear(er|est)?": "at or above the minimum price",
    r"heads(?!/)": "latest version",
    r"look back": "monitoring run",
}
_WORDS = {
    re.compile(rf"(?<![A-Za-z]){word}(?![A-Za-z])", re.IGNORECASE): better
    for word, better in PRIVATE_WORDS.items()
}


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_a_class_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for path in PACKAGE:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(names(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", CODE, ids=names)
def test_modules_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in functions(ast.parse(text))
        if node.end_lineno
    }
    assert {name: lines for name, lines in long.items() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("path", [*CODE, *PROSE], ids=names)
def test_words_are_those_of_the_field(path: Path) -> None:
    found = [
        f"line {number}: {match[0]!r}, say {better!r}"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for word, better in _WORDS.items()
        for match in word.finditer(line)
    ]
    assert found == []
