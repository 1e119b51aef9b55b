"""200 reloads between two versions under load; every tenth load is of a damaged book."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import grpc
import httpx
import psutil
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

from tests.serving.books import make_book
from tests.serving.server import Server, infer, models_folder, point_at, running, tensor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

CARDS = ["card_0", "card_4", "card_9", "tcgplayer-20-normal"]
MARKET = [1.04, 5.04, 10.04, 21.04]
SCALES = {"1": 1.0, "2": 1.5, "damaged": 3.0}
RELOADS = 200
Answer = tuple[str, list[float]]


def over_rest(server: Server, closing: ExitStack) -> Callable[[], Answer]:
    client = closing.enter_context(httpx.Client(timeout=60))
    body = {"inputs": [tensor("card_id", CARDS)]}

    def ask() -> Answer:
        response = client.post(f"{server.url}/v2/models/fair-price/infer", json=body)
        assert response.status_code == 200, response.text
        content = response.json()
        return content["parameters"]["model_version"], next(
            o["data"] for o in content["outputs"] if o["name"] == "fair_price"
        )

    return ask


def over_grpc(server: Server, closing: ExitStack) -> Callable[[], Answer]:
    channel = closing.enter_context(
        grpc.insecure_channel(server.grpc, options=[("grpc.use_local_subchannel_pool", 1)])
    )
    stub = GRPCInferenceServiceStub(channel)
    contents = pb.InferTensorContents(bytes_contents=[card.encode() for card in CARDS])
    inputs = [
        pb.ModelInferRequest.InferInputTensor(
            name="card_id", datatype="BYTES", shape=[len(CARDS)], contents=contents
        )
    ]
    request = pb.ModelInferRequest(model_name="fair-price", inputs=inputs)

    def ask() -> Answer:
        answer = stub.ModelInfer(request, timeout=60)
        prices = next(
            output.contents.fp64_contents
            for output in answer.outputs
            if output.name == "fair_price"
        )
        return answer.parameters["model_version"].string_param, list(prices)

    return ask


@contextmanager
def busy(server: Server, expected: dict[str, list[float]]) -> Iterator[list[str]]:
    """Send requests over 16 connections without a pause; yield the failures."""
    failures: list[str] = []
    over = threading.Event()
    requests = [0] * 16

    def loop(at: int) -> None:
        with ExitStack() as closing:
            ask = (over_rest if at % 2 else over_grpc)(server, closing)
            while not over.is_set():
                try:
                    version, prices = ask()
                    requests[at] += 1
                    if prices != pytest.approx(expected[version], rel=1e-6):
                        failures.append(f"version {version} with {prices}")
                except Exception as error:  # any error is a failure
                    failures.append(repr(error))

    with ThreadPoolExecutor(16) as threads:
        for at in range(16):
            threads.submit(loop, at)
        try:
            yield failures
        finally:
            over.set()
    assert min(requests) > RELOADS // 10, "some connections sent too few requests"


def test_two_hundred_reloads(tmp_path: Path) -> None:
    """The books are given by path, because resolving the champion takes seconds per load."""
    models = tmp_path / "models"
    books = {version: tmp_path / version for version in SCALES}
    digests = {version: make_book(books[version], scale=scale) for version, scale in SCALES.items()}
    damaged = books["damaged"] / "upper.arrow"
    damaged.write_bytes(damaged.read_bytes()[:-8])
    expected = {version: [price * scale for price in MARKET] for version, scale in SCALES.items()}
    ports = models_folder(models)
    point_at(models, books["1"], digests["1"], "1")
    with running(models, ports) as server, busy(server, expected) as failures:
        process, memory, serving = psutil.Process(server.process.pid), {}, "1"
        for count in range(1, RELOADS + 1):
            target = "damaged" if count % 10 == 0 else "12"[count % 2]
            point_at(models, books[target], digests[target], target)
            response = httpx.post(f"{server.url}/v2/repository/models/fair-price/load", timeout=60)
            if target == "damaged":
                assert response.status_code == 500
                assert "upper.arrow is damaged" in response.json()["error"]
            else:
                assert response.status_code == 200, response.text
                serving = target
            answer = infer(server, "fair-price", tensor("card_id", CARDS))
            assert answer.json()["parameters"]["model_version"] == serving
            memory[count] = process.memory_full_info().uss
        assert failures == []
        click.echo(
            f"unshared memory after 20 reloads {memory[20] / 1e6:.1f} MB, "
            f"after {RELOADS} {memory[RELOADS] / 1e6:.1f} MB"
        )
        assert memory[RELOADS] < 1.1 * memory[20]
