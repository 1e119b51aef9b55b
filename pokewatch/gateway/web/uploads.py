"""Files uploaded by HTML forms (RFC 7578)."""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP

from starlette.types import Receive

from pokewatch.gateway.http.bodies import BodyReader
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import MEDIA_TYPE, ProblemError, invalid

_FORM = b"multipart/form-data"


class UploadBodies(BodyReader):
    """Reads forms with files."""

    async def read(self, context: RequestContext, receive: Receive) -> dict[str, bytes]:
        """Return the content of each field. Raise ProblemError with 415 or as `read_bytes` does."""
        kind = context.headers.get(b"content-type", b"")
        if kind.partition(b";")[0].strip().lower() != _FORM:
            raise ProblemError(MEDIA_TYPE, f"expected a form, {_FORM.decode()}")
        return form_fields(kind, await self.read_bytes(context.headers, receive))


def form_fields(content_type: bytes, body: bytes) -> dict[str, bytes]:
    """Return the content of each field of a form. Raise ProblemError (422) if it has no parts."""
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(
        b"content-type: " + content_type + b"\r\n\r\n" + body
    )
    if not message.is_multipart():
        raise invalid("", "the form has no parts")
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content
    return fields
