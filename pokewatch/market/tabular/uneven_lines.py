"""Lines with fewer or more cells than the table has named columns.

Spreadsheets leave out the empty cells at the ends of lines, and people write notes beside a table.
"""

from collections.abc import Container, Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pokewatch.market.tabular.sheet import Sheet, SkippedLine, shortened
from pokewatch.wording import counted


def without_cut_lines(sheet: Sheet, needed: Iterable[int]) -> Sheet:
    """Return a sheet without the lines that end before one of the columns `needed`.

    The others are read as if the cells that they lack were empty. Notes count them, and the lines
    with cells beyond the named columns.
    """
    if not sheet.uneven:
        return sheet
    width = len(sheet.names) - sheet.added
    columns = sorted(at for at in needed if at < width)
    lacking = {
        line: next((at for at in columns if at >= cells), None)
        for line, cells in sheet.uneven.items()
    }
    cut = {line: sheet.names[at] for line, at in lacking.items() if at is not None}
    stays = np.array([line not in cut for line in sheet.line.tolist()], dtype=np.bool_)
    skipped = [
        SkippedLine(line, _text(sheet, line), _cut_before(name, sheet, line))
        for line, name in sorted(cut.items())
    ]
    return replace(
        sheet,
        cells=tuple(column.filter(pa.array(stays)) for column in sheet.cells),
        line=sheet.line[stays],
        skipped=(*sheet.skipped, *skipped),
        uneven={},
        notes=(*sheet.notes, *_notes(sheet, cut)),
    )


def named_cells(cells: list[str], width: int, most: int) -> list[str]:
    """Return the cells of the first `width` columns, which have names, without notes beside them.

    All are returned if one stands beyond the `most` cells of the header.
    """
    return cells if any(cell.strip() for cell in cells[most:]) else cells[:width]


def length_fault(cells: int, width: int, ended: bool) -> str:
    """Return why a line of `cells` is no row of a table of `width` columns, "" if it may be one.

    `ended` says whether a line end follows it: a file that was cut off has none.
    """
    if cells == width or (cells < width and ended):
        return ""
    fault = f"the line has {counted(cells, 'cell')}, not {width}"
    return fault if cells > width else f"the file ends in the line: {fault}"


def _cut_before(name: str, sheet: Sheet, line: int) -> str:
    cells, width = counted(sheet.uneven[line], "cell"), len(sheet.names) - sheet.added
    return f"the line has {cells}, not {width}: it ends before {shortened(name)}"


def _text(sheet: Sheet, line: int) -> str:
    row = int(np.searchsorted(sheet.line, line))
    cells = (column[row].as_py() for column in sheet.cells[: sheet.uneven[line]])
    return shortened(", ".join(cells), 200)[1:-1]


def _notes(sheet: Sheet, cut: Container[int]) -> Iterable[str]:
    width = len(sheet.names) - sheet.added
    lines = {line: cells for line, cells in sorted(sheet.uneven.items()) if line not in cut}
    if short := [line for line, cells in lines.items() if cells < width]:
        ends = "ends" if len(short) == 1 else "end"
        yield (
            f"{counted(len(short), 'line')} {ends} before the last column (first line {short[0]}): "
            "the cells that are not there are read as empty"
        )
    if long := [line for line, cells in lines.items() if cells > width]:
        goes = "goes" if len(long) == 1 else "go"
        yield (
            f"{counted(len(long), 'line')} {goes} on in a column without a name (first line "
            f"{long[0]}), which is not read"
        )
