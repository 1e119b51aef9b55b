"""Requests in flight when the server receives SIGTERM, and when a worker is killed."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import httpx
import psutil
import pytest

from tests.serving.books import make_book
from tests.serving.server import Server, infer, models_folder, point_at, running, tensor

pytestmark = pytest.mark.integration

CARD = tensor("card_id", ["card_4"])


def served_folder(tmp_path: Path, workers: int) -> tuple[int, int, int]:
    ports = models_folder(tmp_path / "models", workers)
    point_at(tmp_path / "models", tmp_path / "book", make_book(tmp_path / "book"), "1")
    return ports


def test_requests_in_flight_at_sigterm_are_answered(tmp_path: Path) -> None:
    """Sixteen large requests in flight are answered, and the server exits with 0."""
    body = json.dumps({"inputs": [tensor("card_id", ["card_4"] * 10_000)]}).encode()
    head = (
        "POST /v2/models/fair-price/infer HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    ports = served_folder(tmp_path, workers=0)
    with running(tmp_path / "models", ports) as server:
        connections = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(16)]
        with ThreadPoolExecutor(16) as threads:
            for connection in connections:
                connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body[:-1])
            # The server holds every connection when it gets SIGTERM; the last byte follows then.
            assert infer(server, "fair-price", CARD).status_code == 200
            ended = threads.submit(server.stop)
            for connection in connections:
                connection.sendall(body[-1:])
            answers = list(threads.map(_read_all, connections))
            assert ended.result() == 0
    assert [answer.split(b"\r\n", 1)[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * 16
    assert all(
        len(json.loads(answer.split(b"\r\n\r\n", 1)[1])["outputs"][0]["data"]) == 10_000
        for answer in answers
    )


def _read_all(connection: socket.socket) -> bytes:
    with connection:
        connection.settimeout(60)
        return b"".join(iter(lambda: connection.recv(2**16), b""))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    """At most the requests held by a killed worker fail, and a new worker replaces it."""
    connections = 8
    ports = served_folder(tmp_path, workers=2)
    with running(tmp_path / "models", ports) as server:
        over, failures = threading.Event(), []

        def loop() -> None:
            with httpx.Client(timeout=60) as client:
                while not over.is_set():
                    response = client.post(
                        f"{server.url}/v2/models/fair-price/infer", json={"inputs": [CARD]}
                    )
                    if response.status_code != 200:
                        failures.append((response.status_code, response.text))

        with ThreadPoolExecutor(connections) as threads:
            for _ in range(connections):
                threads.submit(loop)
            try:
                before = server.workers()
                before[0].kill()
                replacement = _replacement(server, before)
            finally:
                over.set()
        assert len(failures) <= connections
        assert all(
            status == 500 and "Worker process stopped unexpectedly" in text
            for status, text in failures
        ), failures
        assert replacement.is_running()
        click.echo(f"{len(failures)} of the requests of {connections} connections failed")
        for _ in range(20):
            assert infer(server, "fair-price", CARD).status_code == 200


def _replacement(server: Server, before: list[psutil.Process]) -> psutil.Process:
    """Return the worker that replaced the killed one, once it has loaded the models."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        new = [
            worker for worker in server.workers() if worker.pid not in {old.pid for old in before}
        ]
        if (
            new
            and f"New worker with PID {new[0].pid} on default inference pool is now ready"
            in server.log()
        ):
            return new[0]
        threading.Event().wait(0.1)
    raise AssertionError("no new worker was started")
