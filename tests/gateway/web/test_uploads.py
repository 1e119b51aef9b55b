import asyncio

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.web.uploads import MAX_PARTS, PIECE, UploadBodies, UploadedForm

KIND = b"multipart/form-data; boundary=x"
LIMIT = 4 * 1024 * 1024  # bytes, as POKEWATCH_COLLECTION_BYTES has it
PART = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'


def encoded(files: dict[str, bytes], fields: dict[str, str]) -> tuple[bytes, bytes]:
    request = httpx.Request("POST", "http://x/", files=files, data=fields)
    return request.headers["content-type"].encode(), request.read()


def fields_of(kind: bytes, body: bytes, piece: int = PIECE) -> dict[str, bytes]:
    form = UploadedForm(kind)
    for start in range(0, len(body), piece):
        form.write(body[start : start + piece])
    return form.fields()


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=300) | st.text("\r\n-=", max_size=300).map(str.encode),
    st.text("abc é\n=", max_size=30),
    st.integers(1, 700),
)
def test_fields_are_read_back_whatever_the_pieces(content: bytes, text: str, piece: int) -> None:
    found = fields_of(*encoded({"file": content}, {"fees": text}), piece)
    assert found["fees"].decode() == text
    assert found["file"] == content


@pytest.mark.parametrize(
    ("kind", "body", "detail"),
    [
        (b"multipart/form-data", b"--x\r\n\r\nabc\r\n--x--", "has no parts"),
        (b"multipart/form-data; boundary=", b"", "has no parts"),
        (KIND, b"", "has no parts"),
        (KIND, b"--y\r\n\r\nabc", "is malformed"),
        (KIND, PART + b"abc", "ends before its last part"),
        (KIND + b"x" * 300, PART, "is malformed"),
        (KIND + b'; a="' + b";" * 5_000 + b'"', PART, "is malformed"),
    ],
)
def test_what_is_no_form_is_a_problem(kind: bytes, body: bytes, detail: str) -> None:
    with pytest.raises(ProblemError, match=detail) as caught:
        fields_of(kind, body)
    assert caught.value.kind.status == 422


def test_a_part_without_a_name_is_no_field() -> None:
    body = b"--x\r\n\r\na\r\n" + PART + b"b\r\n--x--\r\n"
    assert fields_of(KIND, body) == {"file": b"b"}


DISPOSITION = b"--x\r\nContent-Disposition: form-data; "
HOSTILE = {
    "parts": PART + b"\r\n" + b"--x\r\n\r\n\r\n" * (LIMIT // 9),
    "parameters": DISPOSITION + b"; a*1=b" * 32_000 + b"\r\n\r\n",
    "parentheses": DISPOSITION + b"(" * 1_000,
    "headers": b"--x\r\n" + b"A: b\r\n" * (LIMIT // 6),
    "newlines before a part": b"\r\n" * (LIMIT // 2),
    "a header without an end": b"--x\r\nA: " + b"b" * LIMIT,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_form_is_refused(name: str) -> None:
    with pytest.raises(ProblemError) as caught:
        fields_of(KIND, HOSTILE[name])
    assert caught.value.kind.status == 422


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", [b"\n", b"\r\n", b"\r\n--x.", b"\r\n--", b"\r"])
def test_a_file_like_boundaries_is_read_back(unit: bytes) -> None:
    content = unit * (LIMIT // len(unit))
    assert fields_of(KIND, PART + content + b"\r\n--x--")["file"] == content


def test_forms_with_as_many_parts_as_are_read() -> None:
    assert fields_of(KIND, (PART + b"\r\n") * MAX_PARTS + b"--x--") == {"file": b""}
    with pytest.raises(ProblemError, match="more than 8 parts"):
        fields_of(KIND, (PART + b"\r\n") * (MAX_PARTS + 1) + b"--x--")


def test_other_requests_have_their_turn_while_a_form_is_parsed() -> None:
    body = PART + b"a" * (20 * PIECE) + b"\r\n--x--"
    scope = {"type": "http", "headers": [(b"content-type", KIND)]}

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def turns_while_it_is_read() -> int:
        bodies = UploadBodies(LIMIT, 10)
        reading = asyncio.create_task(bodies.read(RequestContext(scope, "r"), receive))
        turns = 0
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)
        assert len((await reading)["file"]) == 20 * PIECE
        return turns

    assert asyncio.run(turns_while_it_is_read()) >= 20
