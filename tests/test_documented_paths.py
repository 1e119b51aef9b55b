"""The files, modules, names and links in the documents exist."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TOP = ("pokewatch", "flows", "mlserver_models", "k8s", "tests", "docs", ".ci", ".github")
# Documents also name files as seen from here: drawings of `pokewatch`, a model folder of MLServer.
SHORT = (ROOT, ROOT / "pokewatch", ROOT / "docs", ROOT / "flows", ROOT / "mlserver_models")
# Examples: files that are the reader's, or are written when PokeWatch runs.
WRITTEN_LATER = {"latest.json", "manifest.json", "monitoring/latest.json", "my-secrets.yaml"}
_PATH = re.compile(r"(?<![\w./:~$<>*-])[\w.][\w./-]*/[\w./*-]*\w/?|(?<![\w./-])\w+\.(?:py|sh)\b")
_DOTTED = re.compile(r"(?<![\w./@-])(?:pokewatch|tests)(?:\.\w+)+(?![\w/-])")
_NAMED = re.compile(r"((?:`\w+`(?:, | and )?)+) in `([\w/]+\.py)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_CODE = (".py", ".sh", ".json", ".yaml", ".yml", ".md", ".lua")


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def paths(text: str) -> Iterator[str]:
    """Yield what looks like a file or folder of the project."""
    for match in _PATH.finditer(text):
        path = match[0].rstrip(".")
        if path in WRITTEN_LATER or "*" in path or "<" in text[match.end() : match.end() + 1]:
            continue
        if path.split("/")[0] in TOP or path.endswith(_CODE):
            yield path


def module_exists(dotted: str) -> bool:
    """Return whether `dotted` is a module or a name in one."""
    path = ROOT.joinpath(*dotted.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module = path.parent.with_suffix(".py")
    return module.is_file() and defines(module, path.name)


def defines(module: Path, name: str) -> bool:
    pattern = rf"^(?:class |(?:async )?def |    def )?{name}\b"
    return re.search(pattern, module.read_text(), re.MULTILINE) is not None


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_path_exists(page: Path) -> None:
    missing = {
        path
        for path in paths(page.read_text())
        if not any((folder / path).exists() for folder in SHORT)
    }
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_module_exists(page: Path) -> None:
    named = {
        found for found in _DOTTED.findall(page.read_text()) if not found.endswith((".svc", ".db"))
    }
    assert {dotted for dotted in named if not module_exists(dotted)} == set()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_a_name_is_in_the_module_it_is_said_to_be_in(page: Path) -> None:
    missing = [
        (name, path)
        for names, path in _NAMED.findall(" ".join(page.read_text().split()))
        for name in re.findall(r"\w+", names.replace(" and ", " "))
        if not defines(ROOT / path, name)
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text()):
        linked = (page.parent / target) if target else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", each).replace(" ", "-").lower() for each in headings}
            assert anchor in slugs, f"{target}#{anchor}"


def test_the_check_finds_what_is_missing() -> None:
    text = "`pokewatch/gone.py`, docs/gone.md, market/gone.py, `k8s/base` and https://host/a/b.py"
    assert list(paths(text)) == [
        "pokewatch/gone.py",
        "docs/gone.md",
        "market/gone.py",
        "k8s/base",
    ]
    assert not module_exists("pokewatch.gone")
    assert not module_exists("tests.tools.gone")
    assert module_exists("tests.tools.require_tool")


def test_the_packages_are_listed_in_the_order_in_which_they_may_be_imported() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = reversed(linter["contracts"][0]["layers"])
    level = {name: at for at, layer in enumerate(layers) for name in layer.split(" | ")}
    page = (ROOT / "docs" / "architecture.md").read_text()
    table, _, apart = page.partition("## Packages")[2].partition("Two packages stand apart.")
    listed = re.findall(r"`pokewatch/(\w+)(?:\.py|/)`", table)
    standing_apart = ["decision", "gateway"]
    assert sorted([*listed, *standing_apart]) == sorted(level)
    assert [level[name] for name in listed] == sorted(level[name] for name in listed)
    assert all(f"`pokewatch/{name}/`" in apart for name in standing_apart)
