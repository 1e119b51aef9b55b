"""The rules of how the code reads that a program can check."""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = sorted((ROOT / "pokewatch").rglob("*.py"))
CODE = [*PACKAGE, *sorted((ROOT / "flows").rglob("*.py"))]
PROSE = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50

# Words of the project's own in code and documents, and the field's.
PRIVATE_WORDS = {
    r"doorman": "authentication",
    r"keyring": "key cache",
    r"lessons?": "training days",
    # Not those of cards
    r"(?<!1st[ _])(?<!first[ _])(?<!card_)(?<!Unlimited )(?<!\")editions?": "loaded book",
    r"judgements?": "backtest runner",
    r"shel(?:f|ves)": "loaded books",
    r"strangers?": "untrusted",
    r"by comma": "comma-separated",
    r"of one'?s own": "user-supplied",
    # not told.json and told.lock, files of monitoring
    r"told(?!\.(?:json|lock))|tells (?:people|prometheus)": "reported, logged, unless set",
    r"learn(?:t|s|ed)? on": "training date",
    r"dear(?:er|est)?": "at or above the minimum price",
    r"heads(?![/\"'])": "latest version",  # not heads/, a folder of the remote
    r"look back": "monitoring run",
}
# Names of variables, attributes, functions and modules. As words in a sentence they are fine.
PRIVATE_NAMES = {
    "asked": "what was requested",
    "exchange": "context",
    "kept": "state, stored",
    "lane": "queue",
    "saw": "observe",
    "wire": "http_client",
}
# A docstring names what a thing is ("The keys in memory") or does ("Return ...", "Raise ...").
BAD_OPENING = re.compile(r"What\b|The one place\b")
_EITHER = re.compile(
    rf"(?<![A-Za-z])(?:{'|'.join(f'({word})' for word in PRIVATE_WORDS)})(?![A-Za-z])",
    re.IGNORECASE,
)
_BETTER = list(PRIVATE_WORDS.values())
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def private_words(text: str) -> list[str]:
    """Return the place of each private word in `text`, and what to write instead."""
    return [
        f"line {line_of(match)}: {match[0]!r}, write {_BETTER[(match.lastindex or 1) - 1]!r}"
        for match in _EITHER.finditer(text)
    ]


def line_of(match: re.Match[str]) -> int:
    return match.string.count("\n", 0, match.start()) + 1


def identifiers(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node gives to something, without leading underscores."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            yield name.lstrip("_")
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name.lstrip("_")
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name.lstrip("_")


def by_file(paths: Iterable[Path], check: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    """Return what a check finds, by file. One test for all files: a test each takes longer."""
    return {names(path): found for path in paths if (found := check(path))}


def too_long(path: Path) -> list[str]:
    lines = len(path.read_text().splitlines())
    functions = [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    return functions if lines <= LONGEST_MODULE else [f"{lines} lines", *functions]


def private_names(path: Path) -> list[str]:
    return sorted(
        f"line {getattr(node, 'lineno', 0)}: {name!r}, write {PRIVATE_NAMES[name]!r}"
        for node in nodes(path)
        for name in identifiers(node)
        if name in PRIVATE_NAMES
    )


def bad_openings(path: Path) -> list[str]:
    documented = (node for node in nodes(path) if isinstance(node, _DOCUMENTED))
    opened = [(ast.get_docstring(node) or "").partition("\n")[0] for node in documented]
    return [first for first in opened if BAD_OPENING.match(first)]


def test_a_class_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for path in PACKAGE:
        for node in ast.iter_child_nodes(nodes(path)[0]):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(names(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_modules_and_functions_are_short() -> None:
    assert by_file(CODE, too_long) == {}


def test_words_are_those_of_the_field() -> None:
    assert by_file([*CODE, *PROSE], lambda path: private_words(path.read_text())) == {}


def test_names_are_those_of_the_field() -> None:
    assert by_file(CODE, private_names) == {}


def test_docstrings_name_what_they_describe() -> None:
    assert by_file(CODE, bad_openings) == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("names, by comma", 1),
        ("A dearer card of one's own.\nIt was told.", 3),
        ("the keyring_of and `doorman`", 2),
        ("kept for a year; forbear; headstrong; unfolded; overlook backwards", 0),
        ("`heads/` of the remote, and told.json", 0),
    ],
)
def test_the_check_of_words_finds_what_it_is_for(text: str, found: int) -> None:
    assert len(private_words(text)) == found
