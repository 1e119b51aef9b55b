"""Tables of the cards as HTML, and their style sheet.

Metaflow's own tables centre every cell and do not fit a narrow screen. HTML in a Markdown component
is shown as it is, up to its first blank line, so all text is escaped and on one line.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from metaflow.cards import Markdown

_STYLE = """
.pw { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; }
.pw th, .pw td { padding: .4rem .55rem; border-bottom: 1px solid #d9dce3; text-align: left;
  vertical-align: top; background: none; white-space: normal; }
.pw thead th { color: #585e6a; font-weight: 600; }
.pw tbody th { font-weight: 500; min-width: 6rem; }
.pw.facts td { overflow-wrap: anywhere; }
.card_app .pw tbody th { color: #1b1d22; }
.pw .num { text-align: right; font-variant-numeric: tabular-nums; }
.pw .why { color: #585e6a; min-width: 14rem; }
.pw .failed { color: #a8261d; font-weight: 700; } .pw .passed { color: #0b6b3a; }
.pw-scroll { overflow-x: auto; margin: .5rem 0 1rem; }
.pw-words { font-size: .875rem; color: #585e6a; margin: 0 0 1rem; }
.pw-words dt { font-weight: 600; float: left; clear: left; margin-right: .4rem; }
.pw-words dd { margin: 0 0 .25rem; }
.card_app .vega-embed { display: block; width: 100%; }
.sectionItems p { margin: .4rem 0; }
@media (max-width: 600px) {
  aside { display: none; }
  .sectionItems h1 { font-size: 1.3rem; }
}
@media (prefers-color-scheme: dark) {
  html, body, .card_app, .card_app .mf-card, .card_app main, .card_app aside {
    background: #14161b; color: #e8eaf0; }
  .card_app h1, .card_app h2, .card_app p, .card_app li, .card_app strong, .card_app code,
  .card_app td, .card_app th, .card_app .pw tbody th { color: #e8eaf0; }
  .pw th, .pw td { border-color: #363b47; }
  .card_app .pw thead th, .card_app .pw .why, .pw-words { color: #a6adbb; }
  .card_app .pw .failed { color: #ff9c92; } .card_app .pw .passed { color: #6fd39b; }
  .card_app .vega-embed { filter: invert(.92) hue-rotate(180deg); }
  aside svg path { fill: #e8eaf0; }
}
"""


class Column(NamedTuple):
    """A column of a table. Numbers are aligned to the right."""

    title: str
    number: bool = False
    kind: str = ""


def style() -> Markdown:
    """Return the style sheet of a card; it has dark colours and fits a narrow screen."""
    return Markdown(f"<style>{' '.join(_STYLE.split())}</style>")


def html_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Markdown:
    """Return a table of texts. The first cell of each row is its heading."""
    head = "".join(_cell("th", column.title, column) for column in columns)
    body = "".join(f"<tr>{_row(columns, row)}</tr>" for row in rows)
    return Markdown(
        f'<div class="pw-scroll"><table class="pw"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts_table(facts: Sequence[tuple[str, str]]) -> Markdown:
    """Return a table of names and values, without headings."""
    rows = "".join(f"<tr>{_row((Column(''), Column('')), each)}</tr>" for each in facts)
    return Markdown(f'<table class="pw facts"><tbody>{rows}</tbody></table>')


def glossary(words: Mapping[str, str]) -> Markdown:
    """Return a list of words and what they mean."""
    terms = "".join(
        f"<dt>{_text(word)}:</dt><dd>{_text(meaning)}</dd>" for word, meaning in words.items()
    )
    return Markdown(f'<dl class="pw-words">{terms}</dl>')


def _row(columns: Sequence[Column], cells: Sequence[str]) -> str:
    tags = ("th", *("td" for _ in cells[1:]))
    return "".join(map(_cell, tags, cells, columns))


def _cell(tag: str, text: str, column: Column) -> str:
    names = " ".join(
        name for name in ("num" if column.number else "", column.kind or _result(text)) if name
    )
    attribute = f' class="{names}"' if names else ""
    return f"<{tag}{attribute}>{_text(text)}</{tag}>"


def _result(text: str) -> str:
    return text.lower() if text in {"passed", "FAILED"} else ""


def _text(text: str) -> str:
    return " ".join(escape(text).split())
