import http.client
from urllib.parse import urlsplit

import pytest

from pokewatch.gateway.http.middleware import RequestContext
from tests.gateway.conftest import Gateway


def context(*lines: tuple[bytes, bytes]) -> RequestContext:
    return RequestContext({"type": "http", "headers": list(lines)}, "generated")


def test_lines_of_one_header_are_one_list() -> None:
    found = context((b"accept", b"a"), (b"cookie", b"x=1"), (b"accept", b"b"), (b"cookie", b"y=2"))
    assert found.headers == {b"accept": b"a, b", b"cookie": b"x=1; y=2"}


def test_two_request_ids_are_none() -> None:
    assert context((b"x-request-id", b"a"), (b"x-request-id", b"b")).request_id == "generated"


def ask(gateway: Gateway, path: str, *lines: tuple[str, str]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    connection.putrequest("GET", path)
    connection.putheader("x-api-key", gateway.key.key)
    for name, value in lines:
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@pytest.mark.parametrize("order", [1, -1], ids=["first", "last"])
def test_each_line_of_a_header_counts(gateway: Gateway, order: int) -> None:
    tag = ask(gateway, "/cards/card_4").headers["etag"]
    tags = [("If-None-Match", tag), ("If-None-Match", '"other"')][::order]
    assert ask(gateway, "/cards/card_4", *tags).status == 304
    accepted = [("Accept", "text/html"), ("Accept", "application/json;q=0.1")][::order]
    page = ask(gateway, "/cards/card_4", *accepted)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
