"""A receiver of webhooks over real TLS, and an internet that leads to it."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tests.answering import answering

NAME = "hooks.example"


@dataclass(frozen=True)
class Message:
    """A webhook as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Manner:
    """How a receiver answers: a status and headers, after `seconds`, in single bytes or `raw`."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drips: bool = False
    raw: bytes = b""


class Receiver(ThreadingHTTPServer):
    """Takes webhooks over TLS with a certificate for `hooks.example` and `localhost`."""

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.messages: list[Message] = []
        self.manner = Manner()
        self.by_path: dict[str, Manner] = {}

    def url(self, path: str = "/hook", host: str = "localhost") -> str:
        return f"https://{host}:{self.server_port}{path}"

    def ids(self, path: str | None = None) -> list[str]:
        """Return the webhook-id of each message, repeats included."""
        found = [each for each in self.messages if path in (None, each.path)]
        return [each.headers["webhook-id"] for each in found]

    def handle_error(self, *_: object) -> None:
        """Clients may disconnect whenever they like."""


class _Answers(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.messages.append(Message(self.path, headers, body))
        manner = self.server.by_path.get(self.path, self.server.manner)
        time.sleep(manner.seconds)
        if manner.drips:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                self.wfile.write(b"x-more: 1\r\n")
                time.sleep(0.02)
        if manner.raw:
            self.wfile.write(manner.raw)
            return
        self.send_response(manner.status)
        for name, value in manner.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        raise AssertionError("a redirect was followed")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving(certificate: Path) -> Iterator[Receiver]:
    with answering(Receiver(certificate)) as receiver:
        yield receiver


class Internet:
    """Names and public addresses of a test; `reached` are all addresses connected to.

    A public address of `hosts` leads to a port of this machine. Any other one is not there, or if
    it is `silent`, does not answer.
    """

    def __init__(self, hosts: dict[str, int]) -> None:
        self.hosts = hosts
        self.names: dict[str, list[list[str]]] = {}
        self.resolved: list[str] = []
        self.reached: list[str] = []
        self.silent: set[str] = set()
        self._lock = threading.Lock()

    def resolve(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Answer as `getaddrinfo` does, with the next answer for the name; the last one stays."""
        with self._lock:
            self.resolved.append(host)
            answers = self.names[host]
            addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_socket_address(each, port) for each in addresses]

    def socket_class(self) -> type[socket.socket]:
        internet = self
        plain_connect: Callable[[socket.socket, Any], None] = socket.socket.connect

        class Socket(socket.socket):
            def connect(self, address: Any) -> None:
                internet.reached.append(address[0])
                if address[0] in internet.silent:
                    time.sleep(self.gettimeout() or 0.0)
                    raise TimeoutError("timed out")
                port = internet.hosts.get(address[0])
                if port is None:
                    raise ConnectionRefusedError(f"nothing is at {address[0]}")
                plain_connect(self, ("127.0.0.1", port))

        return Socket


def _socket_address(address: str, port: int) -> tuple[Any, ...]:
    if ip_address(address.partition("%")[0]).version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
