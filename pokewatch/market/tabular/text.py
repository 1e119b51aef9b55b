"""Delimited text as a sheet: encoding, separator, header, and every record with its line.

Python's own `csv` module reads the records: in strict mode it refuses an unclosed quote instead of
swallowing the lines after it, it knows the line a record ends on, and it does not care how far a
quoted line break is from the start of the file.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pokewatch.market.tabular.sheet import Sheet, SkippedLine, TableError, shortened

SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_RECORDS = 50
_RECORDS_A_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: list[str]


def decoded(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Return the text and the name of its encoding.

    That is the one given, or by byte order mark, UTF-8, UTF-16, or else CP1252.

    Raise TableError for bytes that the encoding does not have.
    """
    name = encoding or _encoding_of(data)
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[error.start : error.start + 1].hex()
        problem = f"byte 0x{byte} cannot be read as {name}"
        raise TableError(
            problem,
            line=line,
            remedy="save it as UTF-8, or name its encoding: POKEWATCH_FILE_ENCODING=shift_jis",
        ) from None
    except LookupError:
        raise TableError(
            f"there is no encoding {encoding!r}",
            remedy="use a name like utf-8, cp1252 or shift_jis",
        ) from None
    if "\0" in text:
        raise TableError(
            "the file is not text: it holds NUL characters",
            line=text[: text.index("\0")].count("\n") + 1,
        )
    return text, name


def _encoding_of(data: bytes) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    sample = data[:4096]
    if len(sample) >= 4 and sample.count(0) > len(sample) // 5:
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def read_text(data: bytes, known: frozenset[str], encoding: str | None = None) -> Sheet:
    """Return the table in `data`; `known` are simplified column names that mark a header.

    Raise TableError where there is no table, or a record cannot be separated from the next.
    """
    text, encoding_name = decoded(data, encoding)
    text, named, before = _without_separator_line(text)
    separator = named or _separator_of(text, known)
    records = _records(text, separator, before)
    header, skipped = _header(records, known, _SAMPLE_RECORDS)
    names = tuple(name.strip() for name in header.cells)
    while names and not names[-1]:
        names = names[:-1]
    if not names:
        raise TableError(
            "the file has no header",
            remedy="its first line must name the columns, like card_id,date,market_price",
        )
    columns, lines = _columns(records, len(names), skipped)
    marks = _SEPARATOR_NAMES.get(separator, repr(separator))
    form = f"text ({encoding_name}), separated by {marks}, header in line {header.line}"
    return Sheet(names, columns, lines, tuple(skipped), form)


def _without_separator_line(text: str) -> tuple[str, str | None, int]:
    """Return the text after Excel's `sep=;` line, its separator, and how many lines went."""
    first, _, rest = text.partition("\n")
    plain = first.strip().strip('"')
    if plain.lower().startswith("sep=") and len(plain) == 5:
        return rest, plain[4], 1
    if plain.lower() == "sep=":  # the separator is a tab, stripped above
        return rest, "\t", 1
    return text, None, 0


def _separator_of(text: str, known: frozenset[str]) -> str:
    """Return the separator under which the first records look most like a table."""
    sample = text[: 256 * 1024]
    best, best_score = ",", (-1, -1.0, -1)
    for separator in SEPARATORS:
        records = _sample(sample, separator)
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
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if any(cell.strip() for cell in cells):
                records.append(cells)
            if len(records) == _SAMPLE_RECORDS:
                break
    except csv.Error:
        pass  # the full read names the line
    return records


def simplified(name: str) -> str:
    """Return a column's name in lower-case letters and digits joined by underscores, any script."""
    letters = "".join(letter if letter.isalnum() else " " for letter in name.casefold())
    return "_".join(letters.split())


def _records(text: str, separator: str, before: int) -> Iterator[_Record]:
    csv.field_size_limit(len(text) + 1)  # a cell may be as long as the file
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    ended = 0
    while True:
        started = ended + 1 + before
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TableError(
                f"the record that begins here cannot be read: {_quoting(error)}",
                line=started,
                remedy='a cell that holds a quote doubles it, like "5"" box"',
            ) from None
        ended = reader.line_num
        yield _Record(started, cells)


def _quoting(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quote is opened and never closed"
    if "expected after" in text:
        return "text follows a closing quote"
    return text


def _header(
    records: Iterator[_Record], known: frozenset[str], most: int
) -> tuple[_Record, list[SkippedLine]]:
    """Return the first record that names columns, else the first, and what stood before it."""
    seen: list[_Record] = []
    for record in records:
        if not any(cell.strip() for cell in record.cells):
            continue
        seen.append(record)
        if sum(simplified(cell) in known for cell in record.cells) >= 2:
            return record, [
                SkippedLine(each.line, _joined(each.cells), "stands before the header")
                for each in seen[:-1]
            ]
        if len(seen) == most or sum(bool(cell.strip()) for cell in seen[0].cells) > 1:
            break
    if not seen:
        raise TableError(
            "the file is empty", remedy="it needs a header and rows, like card_id,date,market_price"
        )
    if len(seen) > 1:
        raise TableError(
            f"no header is found in the first {len(seen)} lines",
            line=seen[0].line,
            cell=_joined(seen[0].cells),
            remedy="the first line must name the columns, like card_id,date,market_price",
        )
    return seen[0], []


def _columns(
    records: Iterator[_Record], width: int, skipped: list[SkippedLine]
) -> tuple[tuple[pa.ChunkedArray, ...], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the cells by column, and each row's line; records of another width go to `skipped`."""
    chunks: list[list[pa.Array]] = [[] for _ in range(width)]
    rows: list[list[str]] = []
    lines: list[int] = []

    def flush() -> None:
        for number in range(width):
            chunks[number].append(pa.array([row[number] for row in rows], pa.string()))
        rows.clear()

    for record in records:
        cells = record.cells
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            skipped.append(
                SkippedLine(
                    record.line, _joined(cells), f"the line has {len(cells)} cells, not {width}"
                )
            )
            continue
        try:
            for cell in cells:
                cell.encode()
        except UnicodeEncodeError:
            skipped.append(
                SkippedLine(
                    record.line, ascii(_joined(cells)), "the line holds half of a character"
                )
            )
            continue
        rows.append(cells)
        lines.append(record.line)
        if len(rows) == _RECORDS_A_CHUNK:
            flush()
    flush()
    return tuple(pa.chunked_array(column, pa.string()) for column in chunks), np.asarray(
        lines, dtype=np.int64
    )


def _joined(cells: Sequence[str]) -> str:
    return shortened(", ".join(cells), 200)[1:-1]
