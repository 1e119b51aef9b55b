"""A writer of small Parquet files, for the gateway carries no library of tables.

A file has one row group, a column one data page (version 1), compressed by gzip, in the encoding
PLAIN. A column of numbers may have missing values. See the definition of the format in
apache/parquet-format, `parquet.thrift`; its structures are in Thrift's compact protocol.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

_MAGIC = b"PAR1"
_INT32, _DOUBLE, _BYTE_ARRAY = 1, 5, 6  # Type
_UTF8, _DATE = 0, 6  # ConvertedType
_REQUIRED, _OPTIONAL = 0, 1  # FieldRepetitionType
_PLAIN, _RLE = 0, 3  # Encoding
_GZIP = 2  # CompressionCodec
_GZIP_WINDOW = 31  # of zlib, for gzip's format
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12  # types of the compact protocol


class TextColumn(NamedTuple):
    """A column of texts."""

    name: str
    values: Sequence[str]


class DateColumn(NamedTuple):
    """A column of dates, as days since 1970-01-01."""

    name: str
    values: Sequence[int]


class NumberColumn(NamedTuple):
    """A column of numbers, None where there is none."""

    name: str
    values: Sequence[float | None]


Column = TextColumn | DateColumn | NumberColumn


def parquet_file(columns: Sequence[Column]) -> bytes:
    """Return a Parquet file of columns of the same length."""
    rows = len(columns[0].values)
    parts, chunks, offset, size = [_MAGIC], [], len(_MAGIC), 0
    for column in columns:
        page, content = _page(column)
        header = _page_header(rows, len(content), len(page))
        uncompressed, compressed = len(header) + len(content), len(header) + len(page)
        chunks.append(_chunk(column, offset, uncompressed, compressed))
        parts += [header, page]
        offset, size = offset + compressed, size + uncompressed
    group = _struct((1, _LIST, (_STRUCT, chunks)), (2, _I64, size), (3, _I64, rows))
    root = _struct((4, _BINARY, b"rows"), (5, _I32, len(columns)))
    footer = _struct(
        (1, _I32, 1),
        (2, _LIST, (_STRUCT, [root, *map(_schema, columns)])),
        (3, _I64, rows),
        (4, _LIST, (_STRUCT, [group])),
        (6, _BINARY, b"pokewatch"),
    )
    return b"".join([*parts, footer, struct.pack("<I", len(footer)), _MAGIC])


def _page(column: Column) -> tuple[bytes, bytes]:
    """Return the values of a column, compressed and as they are."""
    match column:
        case TextColumn(values=texts):
            encoded = [text.encode() for text in texts]
            content = b"".join(struct.pack("<I", len(each)) + each for each in encoded)
        case DateColumn(values=days):
            content = struct.pack(f"<{len(days)}i", *days)
        case NumberColumn(values=numbers):
            given = [each for each in numbers if each is not None]
            content = _levels(numbers) + struct.pack(f"<{len(given)}d", *given)
    compressor = zlib.compressobj(wbits=_GZIP_WINDOW)
    return compressor.compress(content) + compressor.flush(), content


def _levels(values: Sequence[object]) -> bytes:
    """Return the definition levels of optional values: 1 bit each, as one bit-packed run."""
    bits = bytearray((len(values) + 7) // 8)
    for at, value in enumerate(values):
        if value is not None:
            bits[at // 8] |= 1 << at % 8
    run = _varint(len(bits) << 1 | 1) + bits
    return struct.pack("<I", len(run)) + run


def _page_header(rows: int, uncompressed: int, compressed: int) -> bytes:
    data = _struct((1, _I32, rows), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE))
    return _struct((1, _I32, 0), (2, _I32, uncompressed), (3, _I32, compressed), (5, _STRUCT, data))


def _chunk(column: Column, offset: int, uncompressed: int, compressed: int) -> bytes:
    data = _struct(
        (1, _I32, _type(column)),
        (2, _LIST, (_I32, [_zigzag(_PLAIN), _zigzag(_RLE)])),
        (3, _LIST, (_BINARY, [_binary(column.name.encode())])),
        (4, _I32, _GZIP),
        (5, _I64, len(column.values)),
        (6, _I64, uncompressed),
        (7, _I64, compressed),
        (9, _I64, offset),
    )
    return _struct((2, _I64, offset), (3, _STRUCT, data))


def _schema(column: Column) -> bytes:
    repetition = _OPTIONAL if isinstance(column, NumberColumn) else _REQUIRED
    fields = [
        (1, _I32, _type(column)),
        (3, _I32, repetition),
        (4, _BINARY, column.name.encode()),
    ]
    if not isinstance(column, NumberColumn):
        fields.append((6, _I32, _UTF8 if isinstance(column, TextColumn) else _DATE))
    return _struct(*fields)


def _type(column: Column) -> int:
    match column:
        case TextColumn():
            return _BYTE_ARRAY
        case DateColumn():
            return _INT32
        case NumberColumn():
            return _DOUBLE


def _struct(*fields: tuple[int, int, Any]) -> bytes:
    """Return a structure of fields (id, type, value) in ascending order, less than 16 apart."""
    parts, last = [], 0
    for number, kind, value in fields:
        parts += [bytes([number - last << 4 | kind]), _value(kind, value)]
        last = number
    return b"".join(parts) + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind == _BINARY:
        return _binary(value)
    if kind == _LIST:
        of, items = value
        head = bytes([len(items) << 4 | of]) if len(items) < 15 else bytes([0xF0 | of])
        return b"".join([head, b"" if len(items) < 15 else _varint(len(items)), *items])
    return bytes(value) if kind == _STRUCT else _zigzag(value)


def _binary(value: bytes) -> bytes:
    return _varint(len(value)) + value


def _zigzag(value: int) -> bytes:
    return _varint(value << 1)  # of numbers that are not negative


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
