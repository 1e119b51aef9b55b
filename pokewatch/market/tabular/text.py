"""Delimited text as a sheet: encoding, separator, header, and every record with its line.

Python's own `csv` module reads the records: in strict mode it refuses an unclosed quote instead of
swallowing the lines after it, and it knows the line on which each record ends.
"""

import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from pokewatch.market.tabular.encoding import decoded
from pokewatch.market.tabular.header_rows import (
    REPEATED_HEADER,
    SECOND_TABLE,
    Header,
    names_columns,
    simplified,
)
from pokewatch.market.tabular.quoted_lines import without_outer_quotes
from pokewatch.market.tabular.sheet import Sheet, SkippedLine, TableError, shortened
from pokewatch.market.tabular.uneven_lines import length_fault, named_cells

SEPARATORS = (",", ";", "\t", "|")
_NO_SEPARATOR = "\x1f"  # of a table with one column: its cells may have any of SEPARATORS
_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_FORMULA_TEXT = re.compile(r'="((?:[^"]|"")*)"')  # as exports keep Excel from changing a text
EXAMPLE = "card_id,date,market_price"
_MOST_CELLS = 20_000  # of a line: a column a day is a few thousand
_SAMPLE_RECORDS = 50
_SAMPLE_LETTERS = 256 * 1024
_RECORDS_A_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: list[str]
    ended: bool = True  # by a line end, not by that of the file


def read_text(
    data: bytes,
    known: frozenset[str],
    encoding: str | None = None,
    alone: Sequence[str] = (),
    example: str = EXAMPLE,
    encoding_setting: str = "",
    most: int = sys.maxsize,
) -> Sheet:
    """Return the table in `data`; `known` are simplified column names that mark a header.

    A table may have one column only if `alone` has its name. The first of `alone` is the name of
    that of a list, which has two lines or more and no header. `example` is a header, for users, and
    `encoding_setting` what they set to name an encoding, if they can. Raise TableError where there
    is no table, it has more than `most` lines, or a record cannot be separated from the next.
    """
    text, encoding_name = decoded(data, encoding, encoding_setting)
    text, named, before = _without_separator_line(text)
    text = without_outer_quotes(text, SEPARATORS, lambda cells: names_columns(cells, known))
    separator = named or _separator_of(text, known)
    first = _sample(text[:_SAMPLE_LETTERS], separator)
    column = bool(alone) and _is_column(first, known, alone)
    separator = _NO_SEPARATOR if column else separator
    records = _records(text, separator, before, most)
    if column and simplified(first[0][0]) not in alone:
        header, skipped, read = _Record(0, [alone[0]]), list[SkippedLine](), list[_Record]()
    else:
        header, skipped, read = _header(records, known, alone, example)
    names = tuple(name.strip() for name in header.cells)
    while names and not names[-1]:
        names = names[:-1]
    if not names:
        raise TableError(
            "the file has no header",
            remedy=f"its first line must name the columns, like {example}",
        )
    uneven: dict[int, int] = {}
    rows = chain(read, records)
    columns, lines = _columns(rows, header.cells, len(names), known, skipped, uneven)
    marks = _SEPARATOR_NAMES.get(separator, repr(separator))
    form = f"text ({encoding_name}), separated by {marks}, header in line {header.line}"
    return Sheet(names, columns, lines, tuple(skipped), form, uneven=uneven)


def _without_separator_line(text: str) -> tuple[str, str | None, int]:
    """Return the text after Excel's `sep=;` line, its separator, and how many lines went."""
    end = _LINE_END.search(text)
    first, rest = (text[: end.start()], text[end.end() :]) if end else (text, "")
    plain = first.strip().strip('"')
    if plain.lower().startswith("sep=") and len(plain) == 5:
        return rest, plain[4], 1
    if plain.lower() == "sep=":  # the separator is a tab, stripped above
        return rest, "\t", 1
    return text, None, 0


def _separator_of(text: str, known: frozenset[str]) -> str:
    """Return the separator under which the first records look most like a table."""
    best, best_score = ",", (-1, -1.0, -1)
    for separator in SEPARATORS:
        records = _sample(text[:_SAMPLE_LETTERS], separator)
        if not records:
            continue
        widest = max(records, key=lambda cells: sum(simplified(cell) in known for cell in cells))
        found = sum(simplified(cell) in known for cell in widest)
        alike = sum(len(cells) == len(widest) for cells in records) / len(records)
        score = (found, alike if len(widest) > 1 else 0.0, len(widest))
        if score > best_score:
            best, best_score = separator, score
    return best


def _sample(text: str, separator: str) -> list[list[str]]:
    records: list[list[str]] = []
    with suppress(csv.Error):  # the full read names the line
        for cells in _reader(text, separator, strict=False):
            if any(cell.strip() for cell in cells):
                records.append(cells)
            if len(records) == _SAMPLE_RECORDS:
                break
    return records


def _is_column(first: Sequence[list[str]], known: frozenset[str], alone: Sequence[str]) -> bool:
    """Return whether the first records are those of a table with one column, or of a list."""
    if not first or len(first[0]) > 1 or any(names_columns(cells, known) for cells in first):
        return False
    listed = 1 < len(first) < 2 * sum(len(cells) == 1 for cells in first)  # names may have commas
    return listed or simplified(first[0][0]) in alone


def _records(text: str, separator: str, before: int, most: int) -> Iterator[_Record]:
    # A cell may be as long as the file. The limit is that of the process: never lower it.
    csv.field_size_limit(sys.maxsize)
    reader = _reader(text, separator, strict=True)
    whole = text.endswith(("\r", "\n"))
    breaks = 0 if whole else sum(1 for _ in _LINE_END.finditer(text))
    ended = 0
    for _ in range(most + 1):
        started = ended + 1 + before
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if _is_unclosed(error) and not whole and ended == breaks:
                last = text[max(text.rfind("\n"), text.rfind("\r")) + 1 :]
                cells = next(_reader(last, separator, strict=False))
                yield _Record(started, cells[:-1] or cells, ended=False)
                return
            raise TableError(
                f"the record that begins here cannot be read: {_quoting(error)}",
                line=started,
                remedy='a cell that holds a quote doubles it, like "5"" box"',
            ) from None
        ended = reader.line_num
        if len(cells) > _MOST_CELLS:
            raise TableError(
                f"the line has {len(cells):,} cells",
                line=started,
                remedy=f"at most {_MOST_CELLS:,} are read",
            )
        yield _Record(started, [_without_formula(cell) for cell in cells], whole or ended <= breaks)
    raise TableError(f"the file has more than {most:,} lines", remedy="split it")


def _without_formula(cell: str) -> str:
    match = _FORMULA_TEXT.fullmatch(cell) if cell.startswith('="') else None
    return match[1].replace('""', '"') if match else cell


def _reader(text: str, separator: str, *, strict: bool) -> Any:
    """Return a reader of records; a quote may follow blanks after a separator."""
    return csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=strict, skipinitialspace=True
    )


def _is_unclosed(error: csv.Error) -> bool:
    return "unexpected end of data" in str(error)


def _quoting(error: csv.Error) -> str:
    if _is_unclosed(error):
        return "a quote is opened and never closed"
    return "text follows a closing quote" if "expected after" in str(error) else str(error)


def _header(
    records: Iterator[_Record], known: frozenset[str], alone: Sequence[str], example: str
) -> tuple[_Record, list[SkippedLine], list[_Record]]:
    """Return the first record that names columns, and what stood before it.

    Without one, return the very first record, and those that were read in the search.
    """
    seen: list[_Record] = []
    for record in records:
        if not any(cell.strip() for cell in record.cells):
            continue
        seen.append(record)
        if names_columns(record.cells, known):
            return (
                record,
                [
                    SkippedLine(each.line, _joined(each.cells), "stands before the header")
                    for each in seen[:-1]
                ],
                [],
            )
        if len(seen) == _SAMPLE_RECORDS:
            break
    if not seen:
        raise TableError("the file is empty", remedy=f"it needs a header and rows, like {example}")
    filled = [cell for cell in seen[0].cells if cell.strip()]
    if len(filled) < 2 and simplified(filled[0]) not in alone:
        raise TableError(
            f"no header is found in the first {'line' if len(seen) == 1 else f'{len(seen)} lines'}",
            line=seen[0].line,
            cell=_joined(seen[0].cells),
            remedy=f"the first line must name the columns, like {example}",
        )
    return seen[0], [], seen[1:]


def _columns(
    records: Iterator[_Record],
    header: Sequence[str],
    width: int,
    known: frozenset[str],
    skipped: list[SkippedLine],
    uneven: dict[int, int],
) -> tuple[tuple[pa.ChunkedArray, ...], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the cells by column, and each row's line; `uneven` gets those of other lengths."""
    chunks: list[list[pa.Array]] = [[] for _ in range(width)]
    rows: list[list[str]] = []
    lines: list[int] = []
    names = Header(header)

    def flush() -> None:
        for number in range(width):
            chunks[number].append(pa.array([row[number] for row in rows], pa.string()))
        rows.clear()

    for record in records:
        if not any(cell.strip() for cell in record.cells):
            continue
        cells = named_cells(record.cells, width, len(header))
        if names.is_repeated_by(cells):
            skipped.append(SkippedLine(record.line, _joined(cells), REPEATED_HEADER))
            continue
        if names.is_replaced_by(cells, known, directly=not lines):
            skipped.extend(_second_table(record, records))
            break
        if fault := _fault(record, cells, width):
            skipped.append(SkippedLine(record.line, _joined(cells), fault))
            continue
        if len(cells) < width or any(cell.strip() for cell in record.cells[width:]):
            uneven[record.line] = len(record.cells)
            cells = [*cells, *[""] * (width - len(cells))]
        rows.append(cells)
        lines.append(record.line)
        if len(rows) == _RECORDS_A_CHUNK:
            flush()
    flush()
    return tuple(pa.chunked_array(column, pa.string()) for column in chunks), np.asarray(
        lines, dtype=np.int64
    )


def _second_table(first: _Record, rest: Iterator[_Record]) -> Iterator[SkippedLine]:
    for record in chain([first], rest):
        if any(cell.strip() for cell in record.cells):
            yield SkippedLine(record.line, _joined(record.cells), SECOND_TABLE)


def _fault(record: _Record, cells: Sequence[str], width: int) -> str:
    if fault := length_fault(len(cells), width, record.ended):
        return fault
    try:
        for cell in cells:
            cell.encode()
    except UnicodeEncodeError:
        return "the line holds half of a character"
    return ""


def _joined(cells: Sequence[str]) -> str:
    text = ", ".join(cells).encode("utf-8", "backslashreplace").decode()
    return shortened(text, 200)[1:-1]
