import re

import pytest

from pokewatch.errors import PokeWatchError
from pokewatch.settings import sections
from tests.conftest import ROOT
from tests.reference.pages import PAGES, commands_page

DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_pages_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make docs`"


def test_every_exit_code_is_described() -> None:
    def codes(error: type[PokeWatchError]) -> set[int]:
        return {error.exit_code}.union(*map(codes, error.__subclasses__()))

    described = {int(code) for code in re.findall(r"^\| (\d) \|", commands_page(), re.MULTILINE)}
    assert described == {0, *codes(PokeWatchError)}


def test_every_setting_is_described() -> None:
    for section in sections():
        assert section.__doc__, section
        assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_no_two_sections_claim_one_variable() -> None:
    names = [section.variable(name) for section in sections() for name in section.model_fields]
    assert len(names) == len(set(names))
