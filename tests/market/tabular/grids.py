"""Tables of any cells, as files of text whose lines are known."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

ANY_CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\u2028\u2029"),
    max_size=8,
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A file and the numbers of its lines that are not blank."""

    text: str
    lines: frozenset[int]


@st.composite
def grids(
    draw: st.DrawFn, needed: Sequence[str], others: Sequence[str], cells: Sequence[str]
) -> Grid:
    """Return a grid with the columns `needed` and some others, and lines before and below them."""
    more = draw(st.lists(st.sampled_from(others), max_size=4, unique=True))
    names = draw(st.permutations([*needed, *more]))
    cell = st.sampled_from([*cells, *names]) | ANY_CELL
    any_line = st.lists(cell, max_size=len(names) + 2)
    whole_line = st.lists(cell, min_size=len(names), max_size=len(names))
    before = draw(st.lists(any_line, max_size=2))
    below = draw(st.lists(whole_line | any_line | st.just(names), max_size=10))
    rows = [*before, names, *below]
    target = io.StringIO()
    separator, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    dialect = draw(st.sampled_from(["excel", "unix"]))  # "unix" quotes every cell
    csv.writer(target, dialect, delimiter=separator, lineterminator=end).writerows(rows)
    text = target.getvalue()
    ended = draw(st.booleans())
    filled = (at for at, row in enumerate(rows, start=1) if any(map(str.strip, row)))
    return Grid(text if ended else text.removesuffix(end), frozenset(filled))
