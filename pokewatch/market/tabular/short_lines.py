"""Lines that end before the last column: spreadsheets leave out the empty cells at their ends."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pokewatch.market.tabular.sheet import Sheet, SkippedLine, shortened
from pokewatch.wording import counted


def without_cut_lines(sheet: Sheet, needed: Iterable[int]) -> Sheet:
    """Return a sheet without the lines that end before one of the columns `needed`.

    The others are read as if the cells that they lack were empty, and a note counts them.
    """
    if not sheet.short:
        return sheet
    least = max(needed, default=-1) + 1
    cut = {line for line, cells in sheet.short.items() if cells < least}
    stays = np.array([line not in cut for line in sheet.line.tolist()], dtype=np.bool_)
    skipped = [
        SkippedLine(line, _text(sheet, line), _length(sheet.short[line], len(sheet.names)))
        for line in sorted(cut)
    ]
    return replace(
        sheet,
        cells=tuple(column.filter(pa.array(stays)) for column in sheet.cells),
        line=sheet.line[stays],
        skipped=(*sheet.skipped, *skipped),
        short={},
        notes=(*sheet.notes, *_notes(sorted(sheet.short.keys() - cut))),
    )


def length_fault(cells: int, width: int, ended: bool = True) -> str:
    """Return why a line of `cells` is no row of a table of `width` columns, "" if it may be one.

    `ended` says whether a line end follows it: a file that was cut off has none.
    """
    if cells == width or (cells < width and ended):
        return ""
    fault = _length(cells, width)
    return fault if cells > width else f"the file ends in the line: {fault}"


def _length(cells: int, width: int) -> str:
    return f"the line has {counted(cells, 'cell')}, not {width}"


def _text(sheet: Sheet, line: int) -> str:
    row = int(np.searchsorted(sheet.line, line))
    cells = (column[row].as_py() for column in sheet.cells[: sheet.short[line]])
    return shortened(", ".join(cells), 200)[1:-1]


def _notes(lines: list[int]) -> Iterable[str]:
    if lines:
        ends = "ends" if len(lines) == 1 else "end"
        yield (
            f"{counted(len(lines), 'line')} {ends} before the last column (first line {lines[0]}): "
            "the cells that are not there are read as empty"
        )
