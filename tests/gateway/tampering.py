"""An HTTP proxy in front of a model server that alters its replies."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import httpx

from pokewatch.contract import INFERENCES_PATH
from tests.answering import answering

Tamper = Callable[[dict[str, Any]], Any]


class TamperingServer(ThreadingHTTPServer):
    """`tampers` maps path suffixes to functions that alter 200 replies; `asked` are the paths.

    `renamed` maps paths to those that the model server is asked for in their place.
    """

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.client = httpx.Client(base_url=upstream, timeout=30, verify=False)
        self.tampers: dict[str, Tamper] = {}
        self.asked: list[str] = []
        self.renamed: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def refusal(self, path: str, body: bytes | None) -> bytes | None:
        """Return the body of a 422 to send instead of the model server's reply, or None."""
        return None

    def altered(self, path: str, response: httpx.Response) -> bytes:
        for end, tamper in self.tampers.items():
            if path.endswith(end) and response.status_code == 200:
                content = response.json()
                changed = tamper(content)
                return json.dumps(content if changed is None else changed).encode()
        return response.content


class PickyServer(TamperingServer):
    """A model server that rejects every request with one of some cards."""

    refused: tuple[str, frozenset[str], frozenset[float]] = "", frozenset(), frozenset()

    def refuses(self, model: str, cards: set[str]) -> None:
        """Reject `cards`, which `decision` recognises by the prices of the tests' book."""
        prices = frozenset(round(int(card.removeprefix("card_")) + 1.04, 2) for card in cards)
        self.refused = f"/{model}/infer", frozenset(cards), prices

    def refusal(self, path: str, body: bytes | None) -> bytes | None:
        end, cards, prices = self.refused
        if body is None or not end or not path.endswith((end, INFERENCES_PATH)):
            return None
        content = json.loads(body)
        if path == INFERENCES_PATH:
            asked = [each["request"] for each in content if end == f"/{each['model']}/infer"]
        else:
            asked = [content]
        tensors = [tensor for request in asked for tensor in request["inputs"]]
        data = {value for tensor in tensors for value in tensor["data"]}
        return b'{"error":"not that one"}' if (cards | prices) & data else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body follows the headers at once
    server: TamperingServer

    def do_GET(self) -> None:
        self._forward(None)

    def do_POST(self) -> None:
        self._forward(self.rfile.read(int(self.headers["content-length"])))

    def _forward(self, body: bytes | None) -> None:
        self.server.asked.append(self.path)
        headers = {"content-type": "application/json"} if body is not None else {}
        refusal = self.server.refusal(self.path, body)
        if refusal is None:
            path = self.server.renamed.get(self.path, self.path)
            response = self.server.client.request(self.command, path, content=body, headers=headers)
            status, content = response.status_code, self.server.altered(self.path, response)
        else:
            status, content = 422, refusal
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


Tampering = TypeVar("Tampering", bound=TamperingServer)


@contextmanager
def tampering(upstream: str, kind: type[Tampering] = TamperingServer) -> Iterator[Tampering]:  # type: ignore[assignment]
    """Run the proxy."""
    with answering(kind(upstream)) as server:
        try:
            yield server
        finally:
            server.client.close()


def column(name: str, alter: Callable[[list[Any]], Any]) -> Tamper:
    """Alter the data of a V2 output, in place or by the value that `alter` returns."""

    def tamper(content: dict[str, Any]) -> None:
        output = next(output for output in content["outputs"] if output["name"] == name)
        changed = alter(output["data"])
        output["data"] = output["data"] if changed is None else changed

    return tamper


def rows_of(alter: Callable[[list[Any]], Any]) -> Tamper:
    """Alter all V2 outputs in the same way."""

    def tamper(content: dict[str, Any]) -> None:
        for output in content["outputs"]:
            alter(output["data"])
            output["shape"] = [len(output["data"])]

    return tamper


def at(*path: Any, value: Any) -> Tamper:
    """Set the value at a path of keys and indices."""

    def tamper(content: dict[str, Any]) -> None:
        inside: Any = content
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = value

    return tamper
