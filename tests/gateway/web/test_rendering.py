import re
from pathlib import Path

import pytest

from pokewatch.gateway import web
from pokewatch.gateway.web.formats import NONE, number_text
from pokewatch.gateway.web.rendering import StaticFiles, Templates, price_rows


def test_rows_of_prices_are_escaped_and_the_newest_first() -> None:
    found = price_rows(["2026-01-01", "<b>"], [[1234.5, None], [0.001, None]], "A&B")
    assert found.splitlines() == [
        '<tr><th scope="row">&lt;b&gt;</th>' + f'<td class="num">{NONE}</td>' * 2 + "</tr>",
        '<tr><th scope="row">2026-01-01</th><td class="num">1,234.50 A&amp;B</td>'
        '<td class="num">0.00 A&amp;B</td></tr>',
    ]
    assert price_rows([], [[], []], "USD") == ""


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0.012, 'num up">▲ +1.2%'),
        (-0.012, 'num down">▼ \u22121.2%'),
        (-0.0004, 'num "> 0.0%'),
        (0.0004, 'num "> 0.0%'),
    ],
)
def test_a_change_that_is_shown_as_zero_has_no_arrow(fraction: float, shown: str) -> None:
    environment = Templates(StaticFiles())._environment
    template = environment.from_string("{% import 'macros.html' as m %}{{ m.change(fraction) }}")
    assert shown in template.render(here="", also="", fraction=fraction)


def test_a_count_agrees_with_its_noun() -> None:
    """`counted` writes both: a number followed by a plural would be wrong for one of them."""
    nouns = "card|day|forecast|line|price|row|set|time|version"
    apart = re.compile(rf"(?:format\([^}}]*\)|length) }}}} (?:[a-z]+ )?(?:{nouns})s\b|{{{{ '' if")
    found = {
        (path.name, match[0])
        for path in (Path(web.__file__).parent / "templates").glob("*.html")
        for match in apart.finditer(path.read_text())
    }
    assert found == set()


@pytest.mark.parametrize(
    ("released", "order"), [([None, None], ""), (["2025-06-01", None], ", the newest first")]
)
def test_sets_are_said_to_be_in_the_order_of_days_where_they_have_any(
    released: list[str | None], order: str
) -> None:
    environment = Templates(StaticFiles())._environment
    assert environment.loader is not None
    source = environment.loader.get_source(environment, "sets.html")[0]
    each = {"set_id": "a", "set_name": "A", "cards": 1, "priced": 1, "total": 1.0}
    sets = [each | {"released": day} for day in released]
    page = environment.from_string(source.replace("{% extends 'layout.html' %}", ""))
    text = page.render(found={"sets": sets}, currency="USD", here="")
    assert f"<caption>2 sets{order}. The total" in text


@pytest.mark.parametrize(
    ("card_id", "number", "shown"),
    [
        ("cardmarket-273699-normal", "", "product 273699"),
        ("tcgplayer-4-holofoil", None, "product 4"),
        ("tcgplayer-4-holofoil", "4/102", "4/102"),
        ("mine", "", ""),
        ("my-card-4", "", ""),
    ],
)
def test_a_card_without_a_number_has_that_of_its_product(
    card_id: str, number: str | None, shown: str
) -> None:
    assert number_text(card_id, number) == shown
