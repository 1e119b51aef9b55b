"""An HTTPS server of pictures on this machine, with a certificate of its own."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.answering import answering
from tests.certificates import write_certificate

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 200
Reply = Callable[[BaseHTTPRequestHandler], None]


class PictureServer(ThreadingHTTPServer):
    """`replies` maps paths to functions that answer; other paths are a PNG. `asked` are paths."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.certificate = write_certificate(folder / "localhost.pem", "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def host(self) -> str:
        return f"localhost:{self.server_port}"

    @property
    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts the server."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def url(self, path: str) -> str:
        return f"https://{self.host}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: clients that refuse to go on are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: PictureServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append(dict(self.headers))
        self.server.replies.get(self.path, content(PNG))(self)

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


def content(body: bytes, status: int = 200, length: int | None = None, **headers: str) -> Reply:
    """Return an answer with a body, and a content-length that may be wrong."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


@contextmanager
def picture_server(folder: Path) -> Iterator[PictureServer]:
    """Run the server."""
    with answering(PictureServer(folder)) as server:
        yield server
