import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pokewatch.gateway.web.picture_client import (
    MAX_BYTES,
    Picture,
    PictureClient,
    PictureError,
    picture_kind,
)
from tests.gateway.web.picture_server import PNG, PictureServer, content, picture_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PictureServer]:
    with picture_server(tmp_path_factory.mktemp("pictures")) as found:
        yield found


def fetched(server: PictureServer, url: str, **options: Any) -> Picture:
    given = {"context": server.trusting, "allowed": lambda _: True, **options}
    hosts = given.pop("hosts", [server.host])
    return asyncio.run(PictureClient(hosts, **given).fetch(url))


def test_a_picture_is_downloaded_without_saying_who_looks(server: PictureServer) -> None:
    found = fetched(server, server.url("/product/1_200w.png?x=1"))
    assert found == Picture(PNG, b"image/png")
    assert server.asked[-1] == "/product/1_200w.png?x=1"
    assert set(server.headers[-1]) == {"Host", "User-Agent", "Accept", "Connection"}


def chunked(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for piece in (PNG[:50], PNG[50:], b""):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))


def test_a_picture_in_chunks(server: PictureServer) -> None:
    server.replies["/chunked"] = chunked
    assert fetched(server, server.url("/chunked")).content == PNG


def raw(data: bytes) -> Any:
    return lambda handler: handler.wfile.write(data)


REPLIES = {
    "redirect": (content(b"", 302, location="https://127.0.0.1/x"), "status 302"),
    "redirect here": (content(b"", 301, location="/other"), "status 301"),
    "absent": (content(b"none", 404), "status 404"),
    "page": (content(b"<html><script>alert(1)</script>"), "not a JPEG"),
    "svg": (content(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "not a JPEG"),
    "empty": (content(b""), "not a JPEG"),
    "cut": (content(PNG, length=5_000), "incomplete"),
    "large": (content(PNG + b"\0" * MAX_BYTES), "exceeds"),
    "not HTTP": (raw(b"hello\r\n\r\n"), "not HTTP"),
    "upgrade": (raw(b"HTTP/1.1 101 x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), "HTTP"),
    "endless head": (raw(b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 40_000), "exceeds|not HTTP"),
    "silence": (raw(b""), "incomplete"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_is_no_picture(server: PictureServer, name: str) -> None:
    path = f"/{name.replace(' ', '-')}"
    server.replies[path], message = REPLIES[name]
    with pytest.raises(PictureError, match=message):
        fetched(server, server.url(path))
    assert "/other" not in server.asked


def test_a_host_that_sends_nothing_is_given_up(server: PictureServer) -> None:
    given_up = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        given_up.wait(20)

    server.replies["/slow"] = hang
    try:
        with pytest.raises(PictureError, match="no picture within"):
            fetched(server, server.url("/slow"), seconds=0.3)
    finally:
        given_up.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://{host}/1.png",
        "https://evil.example/1.png",
        "https://{host}@evil.example/1.png",
        "https://user:password@{host}/1.png",
        "https://{host}.evil.example/1.png",
        "https://127.0.0.1/1.png",
        "https://localhost:1/1.png",
        "https://localhost:99999999/1.png",
        "https://[/1.png",
        "https://{host}/a b",
        "https://{host}/\r\nx: y",
        "https://{host}/\u00e9",
        "file:///etc/passwd",
        "",
    ],
)
def test_addresses_that_are_not_asked(server: PictureServer, url: str) -> None:
    before = len(server.asked)
    with pytest.raises(PictureError, match=r"not https|not one of the hosts|malformed"):
        fetched(server, url.format(host=server.host))
    assert len(server.asked) == before


def test_a_name_of_a_private_address_is_not_connected_to(server: PictureServer) -> None:
    before = len(server.asked)
    with pytest.raises(PictureError, match="no public network address"):
        fetched(server, server.url("/1.png"), allowed=None)
    assert len(server.asked) == before


def test_the_next_address_is_used_when_one_is_down(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [("127.0.0.2", server.server_port), ("127.0.0.1", server.server_port)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert fetched(server, server.url("/1.png")).content == PNG


def test_a_certificate_that_is_not_trusted(server: PictureServer) -> None:
    with pytest.raises(PictureError, match="no connection"):
        fetched(server, server.url("/1.png"), context=ssl.create_default_context())


def test_a_host_that_is_down(tmp_path: Path) -> None:
    with picture_server(tmp_path) as gone:
        url, context = gone.url("/1.png"), gone.trusting
    client = PictureClient([gone.host], context, lambda _: True)
    with pytest.raises(PictureError, match="no connection"):
        asyncio.run(client.fetch(url))


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", b"image/jpeg"),
        (b"GIF89a", b"image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", b"image/webp"),
    ],
)
def test_the_type_is_that_of_the_first_bytes(start: bytes, kind: bytes) -> None:
    assert picture_kind(start + b"\0" * 20) == kind
