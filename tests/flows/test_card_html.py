import pytest

from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def flows_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))


def source_of(component: object) -> str:
    return str(component.render()["source"]).strip()  # type: ignore[attr-defined]


def test_texts_of_a_table_are_text_and_on_one_line() -> None:
    from card_html import Column, facts_table, glossary, html_table

    hostile = '<script>alert("1")</script>\n\n# heading\n\n| a |'
    for table in (
        html_table([Column(hostile), Column("n", number=True)], [[hostile, "1.00"]]),
        facts_table([(hostile, hostile)]),
        glossary({hostile: hostile}),
    ):
        text = source_of(table)
        assert "<script" not in text
        assert "\n" not in text
        assert "&lt;script&gt;" in text


def test_numbers_are_aligned_and_results_have_their_colour() -> None:
    from card_html import Column, html_table

    text = source_of(
        html_table(
            [Column("a"), Column("n", number=True), Column("result"), Column("w", kind="why")],
            [["x", "1.00", "FAILED", "y"], ["z", "2.00", "passed", "y"]],
        )
    )
    assert '<th class="num">n</th>' in text
    assert '<td class="num">1.00</td><td class="failed">FAILED</td><td class="why">y</td>' in text
    assert '<td class="passed">passed</td>' in text


def test_the_style_has_no_line_that_would_end_it() -> None:
    from card_html import style

    text = source_of(style())
    assert text.startswith("<style>")
    assert "\n" not in text
    assert "prefers-color-scheme: dark" in text
