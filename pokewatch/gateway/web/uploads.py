"""Files uploaded by HTML forms (RFC 7578)."""

import asyncio

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.types import Receive

from pokewatch.gateway.http.bodies import BodyReader
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import MEDIA_TYPE, ProblemError, invalid

MAX_PARTS = 8  # the form of a collection has three
_MAX_HEADERS = 8
_MAX_HEADER_BYTES = 4_096  # a file's name is at most a fraction of it
PIECE = 16_384  # bytes of a form that are parsed before other requests have their turn

_FORM = b"multipart/form-data"


class UploadBodies(BodyReader):
    """Reads forms with files."""

    _subject = "the file"

    async def read(self, context: RequestContext, receive: Receive) -> dict[str, bytes]:
        """Return the content of each field.

        Raise ProblemError with 415, with 422 where the form cannot be read, or as `read_bytes`
        does.
        """
        kind = context.headers.get(b"content-type", b"")
        if kind.partition(b";")[0].strip().lower() != _FORM:
            raise ProblemError(MEDIA_TYPE, f"expected a form, {_FORM.decode()}")
        form = UploadedForm(kind)
        body = await self.read_bytes(context.headers, receive)
        for start in range(0, len(body), PIECE):
            form.write(body[start : start + PIECE])
            await asyncio.sleep(0)
        return form.fields()


class UploadedForm:
    """The fields of a form, which is written in pieces of any size."""

    def __init__(self, content_type: bytes) -> None:
        """Raise ProblemError (422) where the content type names no boundary, or is too long."""
        if len(content_type) > _MAX_HEADER_BYTES:
            raise _malformed()
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise invalid("", "the form has no parts")
        self._fields: dict[str, bytes] = {}
        self._parts = 0
        self._ended = False
        self._name: str | None = None
        self._header, self._value, self._content = bytearray(), bytearray(), bytearray()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_begin": self._begin_header,
                    "on_header_field": self._add_header,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_part_data": self._add_content,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
                max_header_count=_MAX_HEADERS,
                max_header_size=_MAX_HEADER_BYTES,
            )
        except FormParserError:  # the boundary is too long
            raise _malformed() from None

    def write(self, piece: bytes) -> None:
        """Parse a piece. Raise ProblemError (422) where it is malformed, or has too many parts."""
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _malformed() from None

    def fields(self) -> dict[str, bytes]:
        """Return the content of each field. Raise ProblemError (422) if the form has no parts."""
        if not self._parts:
            raise invalid("", "the form has no parts")
        if not self._ended:
            raise invalid("", "the form ends before its last part does")
        return self._fields

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise invalid("", f"the form has more than {MAX_PARTS} parts")
        self._name = None
        self._content = bytearray()

    def _begin_header(self) -> None:
        self._header, self._value = bytearray(), bytearray()

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            name = parse_options_header(bytes(self._value))[1].get(b"name")
            self._name = None if name is None else name.decode("latin-1")

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end_part(self) -> None:
        if self._name is not None:
            self._fields[self._name] = bytes(self._content)

    def _end(self) -> None:
        self._ended = True


def _malformed() -> ProblemError:
    return invalid("", "the form is malformed: send it as a browser does (RFC 7578)")
