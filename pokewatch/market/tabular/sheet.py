"""A sheet: the columns of one table as the file gives them, each row with its line in the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class TableError(ValueError):
    """A table that cannot be read: what is wrong, where, and what would do.

    `problem` is the message without what would do.
    """

    def __init__(
        self, problem: str, *, line: int | None = None, cell: str = "", remedy: str = ""
    ) -> None:
        where = f"line {line}: " if line is not None else ""
        shown = f" (the cell says {shortened(cell)})" if cell else ""
        self.problem = f"{where}{problem}{shown}"
        super().__init__(self.problem + (f"; {remedy}" if remedy else ""))


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line of the file that is no row of the table."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """`cells` has a column for each of `names`; `line` [m] is each row's line in the file.

    Cells are text, or typed where the file types them. `form` says in words how the file was read.
    `numbers` has, for a column of text, the cells [m] that the file types as numbers, and NaN
    elsewhere: they have no decimal mark. `currencies` has those [m] that the formats of a column's
    cells show, "" where they show none. `uneven` has, by its line, the number of cells of each row
    that is shorter or longer than the header. The last `added` columns are not in the file.
    """

    names: tuple[str, ...]
    cells: tuple[pa.ChunkedArray, ...]
    line: NDArray[np.int64]
    skipped: tuple[SkippedLine, ...] = ()
    form: str = ""
    notes: tuple[str, ...] = field(default=())
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    currencies: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    uneven: Mapping[int, int] = field(default_factory=dict)
    added: int = 0

    def column(self, name: str) -> pa.ChunkedArray:
        """Return the cells of a column. Raise KeyError for a name the sheet lacks."""
        return self.cells[self.names.index(name)] if name in self.names else _unknown(name)

    @property
    def rows(self) -> int:
        return len(self.line)


def shortened(text: str, most: int = 60) -> str:
    """Return the text quoted, cut where it is long, without line breaks."""
    plain = " ".join(text.split())
    return repr(plain if len(plain) <= most else plain[: most - 3] + "...")


def _unknown(name: str) -> pa.ChunkedArray:
    raise KeyError(name)
