"""Clients that offer an upgrade, and clients that half-close the connection."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.gateway.conftest import Gateway
from tests.tools import require_tool

BODY = '{"card_id": "card_4"}'


def output_of(gateway: Gateway, *command: str) -> list[str]:
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_the_client_of_java(gateway: Gateway) -> None:
    java = require_tool("java")
    source = str(Path(__file__).with_name("Ask.java"))
    for line in output_of(
        gateway, java, source, f"{gateway.url}/fair_price", gateway.key.key, BODY
    ):
        status, _, body = line.partition(" ")
        assert (status, json.loads(body)["card_id"]) == ("200", "tcgplayer-4-normal")


def test_curl_with_http2(gateway: Gateway) -> None:
    curl = require_tool("curl")
    headers = ["-H", f"X-API-Key: {gateway.key.key}", "-H", "Content-Type: application/json"]
    command = [
        curl,
        "-s",
        "--http2",
        "-w",
        "\n%{http_code} %{http_version}\n",
        *headers,
        "-d",
        BODY,
    ]
    url = f"{gateway.url}/fair_price"
    lines = output_of(gateway, *command, url, url)
    assert [json.loads(line)["card_id"] for line in lines[::2]] == ["tcgplayer-4-normal"] * 2
    assert lines[1::2] == ["200 1.1"] * 2


def request(gateway: Gateway, card: str) -> bytes:
    body = json.dumps({"card_id": card}).encode()
    head = (
        b"POST /fair_price HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"X-API-Key: %s\r\nContent-Length: %d\r\n\r\n"
    )
    return head % (gateway.key.key.encode(), len(body)) + body


@pytest.mark.parametrize("number", [1, 5])
def test_a_client_that_half_closes_gets_all_responses(
    make_gateway: Callable[..., Gateway], mlserver: object, number: int
) -> None:
    """The model server is called for each response: the cache is off."""
    gateway = make_gateway(mlserver.url, answer_cache=False)  # type: ignore[attr-defined]
    parts = urlsplit(gateway.url)
    for _ in range(10):
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            connection.sendall(
                b"".join(request(gateway, f"card_{4 + card}") for card in range(number))
            )
            connection.shutdown(socket.SHUT_WR)
            found = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert found.count(b"HTTP/1.1 200 OK") == number
        cards = [
            found.index(b'"card_id":"tcgplayer-%d-normal"' % (4 + card)) for card in range(number)
        ]
        assert cards == sorted(cards)
