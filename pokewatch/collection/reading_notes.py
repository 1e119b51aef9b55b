"""Notes on how a collection was read, where a user may not expect it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from pokewatch.collection.cell_texts import cell_text
from pokewatch.collection.printing_columns import is_yes
from pokewatch.market.tabular.sheet import Sheet, shortened
from pokewatch.wording import counted

_WATCHLIST = "watchlist"
_REMARKS = frozenset({"notes", "note", "comment", "comments", "remark", "remarks", "tags"})
_NO_PRICE = re.compile(
    r"\b(?:signed|autograph\w*|altered|misprint|proxy|proxies|fake|graded|slab(?:bed)?"
    r"|(?:psa|bgs|cgc|sgc) ?\d)",
    re.IGNORECASE,
)
NO_COPIES = "no column has the number of copies, so each line counts as one"
_SHOWN_COLUMNS = 20


def line_notes(
    copies: Mapping[int, int],
    sheet: Sheet,
    headers: Sequence[str],
    cells: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """Yield the notes on lines that count copies: on watch lists, remarks and numbers of copies.

    `copies` are those of each line, `headers` the simplified names of the columns, and `cells` the
    columns by their fields.
    """
    yield from watchlist_notes(copies, sheet, headers)
    yield from remark_notes(copies, sheet, headers)
    yield from copies_notes(copies, sheet, cells)


def copies_notes(
    copies: Mapping[int, int], sheet: Sheet, cells: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield that lines count as one copy because nothing says how many there are.

    `copies` are those of each line that was read, and `cells` the columns by their fields.
    """
    if "added" in cells:
        return
    if "quantity" not in cells:
        if all(count == 1 for count in copies.values()):  # the lines of a deck may say more
            yield NO_COPIES
        return
    given = dict(zip(sheet.line.tolist(), cells["quantity"], strict=True))
    if empty := [line for line in copies if not given[line]]:
        verb = "counts" if len(empty) == 1 else "count"
        yield (
            f"{counted(len(empty), 'line')} without a number of copies {verb} as one "
            f"(first line {empty[0]})"
        )


def watchlist_notes(copies: Collection[int], sheet: Sheet, headers: Sequence[str]) -> Iterator[str]:
    """Yield how many lines that count copies are on a list of cards to watch, as Collectr says.

    `copies` has the lines that count copies, and `headers` the simplified names of the columns.
    """
    if _WATCHLIST not in headers:
        return
    cells = sheet.cells[headers.index(_WATCHLIST)].to_pylist()
    watched = [
        line
        for line, cell in zip(sheet.line.tolist(), cells, strict=True)
        if line in copies and is_yes(cell_text(cell, _WATCHLIST))
    ]
    if watched:
        lines, verbs = counted(len(watched), "line"), ("is", "counts")
        verbs = verbs if len(watched) == 1 else ("are", "count")
        yield (
            f"{lines} {verbs[0]} on your watch list and {verbs[1]} as owned (first line "
            f"{watched[0]}): delete what you do not own"
        )


def remark_notes(copies: Collection[int], sheet: Sheet, headers: Sequence[str]) -> Iterator[str]:
    """Yield how many lines that count copies have a remark of a copy that has no price.

    `copies` and `headers` are as for `watchlist_notes`. Remarks are text in any words, so that they
    exclude no line.
    """
    remarks = [at for at, header in enumerate(headers) if header in _REMARKS]
    cells = [sheet.cells[at].to_pylist() for at in remarks]
    found = [
        line
        for line, *texts in zip(sheet.line.tolist(), *cells, strict=True)
        if line in copies and any(_NO_PRICE.search(cell_text(each, "")) for each in texts)
    ]
    if found:
        yield (
            f"the remarks of {counted(len(found), 'line')} say that a copy is graded, signed, "
            f"altered or a proxy, and are not used (first line {found[0]}): delete the lines of "
            "such copies, which have other prices"
        )


def unused_columns(names: Sequence[str], used: Collection[int], app: str) -> Iterator[str]:
    """Yield the names of columns that are not used; those that a known app writes are expected."""
    unused = [shortened(name) for at, name in enumerate(names) if at not in used and name]
    if unused and not app:
        more = len(unused) - _SHOWN_COLUMNS
        shown = ", ".join(unused[:_SHOWN_COLUMNS]) + (f" and {more:,} more" if more > 0 else "")
        yield f"columns that are not used: {shown}"
