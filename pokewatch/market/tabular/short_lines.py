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
    columns = sorted(needed)
    lacking = {
        line: next((at for at in columns if at >= cells), None)
        for line, cells in sheet.short.items()
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
        short={},
        notes=(*sheet.notes, *_notes(sorted(sheet.short.keys() - cut.keys()))),
    )


def length_fault(cells: int, width: int, ended: bool = True) -> str:
    """Return why a line of `cells` is no row of a table of `width` columns, "" if it may be one.

    `ended` says whether a line end follows it: a file that was cut off has none.
    """
    if cells == width or (cells < width and ended):
        return ""
    fault = f"the line has {counted(cells, 'cell')}, not {width}"
    return fault if cells > width else f"the file ends in the line: {fault}"


def _cut_before(name: str, sheet: Sheet, line: int) -> str:
    cells = counted(sheet.short[line], "cell")
    return f"the line has {cells}, not {len(sheet.names)}: it ends before {shortened(name)}"


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
