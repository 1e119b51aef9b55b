import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.web.uploads import form_fields


def encoded(files: dict[str, bytes], fields: dict[str, str]) -> tuple[bytes, bytes]:
    request = httpx.Request("POST", "http://x/", files=files, data=fields)
    return request.headers["content-type"].encode(), request.read()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.text("abc é\n=", max_size=30))
def test_fields_are_read_back(content: bytes, text: str) -> None:
    found = form_fields(*encoded({"file": content}, {"fees": text}))
    assert found["fees"].decode() == text
    assert found["file"] == content


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"multipart/form-data", b"--x\r\n\r\nabc\r\n--x--"),
        (b"multipart/form-data; boundary=", b""),
        (b"multipart/form-data; boundary=x", b""),
        (b"multipart/form-data; boundary=x", b"--y\r\n\r\nabc"),
    ],
)
def test_what_is_no_form_is_a_problem_or_has_no_fields(kind: bytes, body: bytes) -> None:
    try:
        found = form_fields(kind, body)
    except ProblemError as problem:
        found = {"status": b"%d" % problem.kind.status}
    assert found in ({}, {"status": b"422"})
