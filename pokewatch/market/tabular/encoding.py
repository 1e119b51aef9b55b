"""The encoding of a text file, and files that are no text."""

import codecs
import re

from pokewatch.market.tabular.sheet import TableError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FORMATS = (
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"BZh", "a bzip2 archive", "unpack it"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a rar archive", "unpack it"),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"\x89PNG", "an image", "export the table as CSV"),
    (b"\xff\xd8\xff", "an image", "export the table as CSV"),
    (b"SQLite format 3", "a SQLite database", "export the table as CSV"),
    (b"ARROW1", "an Arrow file", "export the table as CSV"),
    (b"PAR1", "a Parquet file", "export the table as CSV"),
    (b"PK\x03\x04", "a workbook or a zip archive", "save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "a workbook", "save the table as CSV"),
)
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<(?:!doctype|html|\?xml|table)|[{\[]\s*[\"{\[])", re.IGNORECASE
)
_HIGH = re.compile(rb"[\x81-\x9f\xa1-\xff]{2,}")
# Of Japanese in Shift-JIS each letter begins with one of these two bytes, and may end in ASCII; in
# CP1252 they are marks that hardly any text has.
_KANA = re.compile(rb"[\x82\x83]")
# A capital of CP1252 before a small letter within a word is a small one of Mac OS Roman: \x8e is
# an e with an accent there. A capital of Mac OS Roman is a small letter of CP1252.
_MAC = re.compile(rb"[A-Za-z][\x8a\x8e\x9f](?=[a-z])")
_CP1252 = re.compile(rb"[A-Za-z][\xe0-\xff](?=[a-z])")
_DOS = re.compile(rb"[A-Za-z]\x82[a-z]")  # an e with an accent of code pages 437 and 850


def decoded(data: bytes, encoding: str | None = None, setting: str = "") -> tuple[str, str]:
    """Return the text and the name of its encoding.

    That is the one given, or by byte order mark, UTF-8, UTF-16, or else CP1252. `setting` is what
    the user sets to name another, if there is any.

    Raise TableError for bytes that the encoding does not have, and for data that is no text.
    """
    _refuse_other_formats(data)
    name = encoding or _encoding_of(data, setting)
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        # By its byte order mark, the file has no other encoding: it is damaged or cut off.
        other = setting if encoding or name == "cp1252" else ""
        raise _undecodable(data, error, name, other) from None
    except (LookupError, UnicodeError):
        raise TableError(
            f"there is no encoding {encoding!r}",
            remedy="use a name like utf-8, cp1252 or shift_jis",
        ) from None
    if "\0" in text:
        raise TableError(
            "the file is not text: it holds NUL characters",
            line=text[: text.index("\0")].count("\n") + 1,
            remedy="save it as CSV",
        )
    return text, name


def _refuse_other_formats(data: bytes) -> None:
    for start, name, remedy in _OTHER_FORMATS:
        if data.startswith(start):
            raise TableError(f"the file is {name}", remedy=remedy)
    if _MARKUP.match(data):
        name = "HTML or XML" if b"<" in data[:10] else "JSON"
        raise TableError(f"the file is {name}", remedy="save the table as CSV")


def _encoding_of(data: bytes, setting: str) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    sample = data[:4096]
    if sample.count(0) > max(1, len(sample) // 20):
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _mostly_utf8(data):
            raise _undecodable(data, error, "utf-8", "") from None
        if _multi_byte(data):
            why = "utf-8, and the text does not look like CP1252"
            other = "cp850" if _DOS.search(data) else "shift_jis"
            raise _undecodable(data, error, why, setting, other) from None
        if len(_MAC.findall(data)) > len(_CP1252.findall(data)):
            raise _undecodable(
                data, error, "utf-8, and the text looks like Mac OS Roman", setting, "mac_roman"
            ) from None
        return "cp1252"
    return "utf-8"


def _mostly_utf8(data: bytes) -> bool:
    """Return whether at least half of the characters beyond ASCII are good UTF-8."""
    text = data.decode("utf-8", errors="replace")
    beyond = sum(not character.isascii() for character in text)
    return text.count("\ufffd") * 2 <= beyond


def _multi_byte(data: bytes) -> bool:
    """Return whether most bytes beyond ASCII stand in groups or pairs, as in GBK or Shift-JIS."""
    grouped = sum(map(len, _HIGH.findall(data)))
    beyond = sum(byte > 0x7F for byte in data)
    return (grouped >= 4 and grouped * 2 > beyond) or len(_KANA.findall(data)) * 2 > beyond


def _undecodable(
    data: bytes, error: UnicodeDecodeError, name: str, setting: str, other: str = "shift_jis"
) -> TableError:
    line = data[: error.start].count(b"\n") + 1
    byte = data[error.start : error.start + 1].hex()
    return TableError(
        f"byte 0x{byte} cannot be read as {name}",
        line=line,
        remedy="save it as UTF-8"
        + (f", or name its encoding: {setting}={other}" if setting else ""),
    )
