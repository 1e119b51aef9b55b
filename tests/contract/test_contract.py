"""A change of the contract is a conscious one: it is written down, and described for clients."""

import re
from difflib import unified_diff
from typing import Any

import pytest

from pokewatch.gateway.api.openapi import document
from tests.conftest import ROOT
from tests.contract import summary
from tests.contract.summary import CONTRACT, digest

CHANGELOG = ROOT / "docs" / "api_changelog.md"
INSTRUCTIONS = (
    "the contract of the API changed. If clients may rely on that: describe the change in "
    "docs/api_changelog.md, run `python -m tests.contract.summary`, and end the entry with the "
    "digest that it prints"
)


def test_the_contract_is_the_one_that_is_written_down() -> None:
    written, now = CONTRACT.read_text().splitlines(), summary.summary()
    changes = [
        line
        for line in unified_diff(written, now, lineterm="", n=0)
        if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))
    ]
    assert not changes, "\n".join([INSTRUCTIONS, *changes])


def test_the_newest_entry_of_the_changelog_describes_it() -> None:
    newest = re.split(r"^## ", CHANGELOG.read_text(), flags=re.MULTILINE)[1]
    found = re.findall(r"^Contract `(\w{12})`$", newest, re.MULTILINE)
    assert found == [digest(CONTRACT.read_text().splitlines())], INSTRUCTIONS


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("properties", "card_id", "pattern"), "^[a-z]+$"),
        (("properties", "market_price", "maximum"), 5),
        (("properties", "fees", "enum"), ["tcgplayer"]),
        (("required",), []),
        (("properties", "colour"), {"type": "string"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_clients_rely_on_is_in_the_summary(
    monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], value: Any
) -> None:
    before, changed = summary.summary(), document()
    *parents, last = path
    node = changed["components"]["schemas"]["FairPriceRequest"]
    for parent in parents:
        node = node[parent]
    node[last] = value
    monkeypatch.setattr(summary, "document", lambda: changed)
    assert summary.summary() != before


def test_wording_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before, changed = summary.summary(), document()
    schema = changed["components"]["schemas"]["FairPriceRequest"]
    schema["properties"]["card_id"] |= {"description": "Another.", "examples": ["another"]}
    monkeypatch.setattr(summary, "document", lambda: changed)
    assert summary.summary() == before
