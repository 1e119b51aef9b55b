"""Requests and rows a second of the runtimes, beside a bare NumPy runtime in the same MLServer.

    python -m tests.bench.serving [--seconds 2] [--rounds 5] [--workers 0,1,2]

Each round asks every model in turn, so that whatever else the machine does falls on all of them; a figure is the median of
its rounds, and a ratio the median of the ratios within a round.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import click
import grpc.aio
import uvloop
from mlserver.grpc import dataplane_pb2 as pb

from tests.serving.books import make_book
from tests.serving.server import Server, models_folder, point_at, running, tensor

CARDS = 5000
CONNECTIONS = 16
Ask = Callable[[], Awaitable[None]]


def inputs(model: str, rows: int) -> list[dict[str, Any]]:
    if model == "fair-price":
        return [tensor("card_id", [f"tcgplayer-{i % CARDS}-normal" for i in range(rows)])]
    return [tensor("market_price", [90.0 + i % 30 for i in range(rows)]), tensor("fair_price", [100.0] * rows)]


def rest_request(server: Server, model: str, rows: int) -> bytes:
    body = json.dumps({"inputs": inputs(model, rows)}).encode()
    head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def rest_client(server: Server, content: bytes) -> Ask:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port, limit=2**22)

    async def ask() -> None:
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length[15:]))

    return ask


def grpc_request(model: str, rows: int) -> bytes:
    tensors = []
    for given in inputs(model, rows):
        text = given["datatype"] == "BYTES"
        contents = (
            pb.InferTensorContents(bytes_contents=[v.encode() for v in given["data"]])
            if text
            else pb.InferTensorContents(fp64_contents=given["data"])
        )
        tensors.append(
            pb.ModelInferRequest.InferInputTensor(name=given["name"], shape=given["shape"], datatype=given["datatype"], contents=contents)
        )
    return bytes(pb.ModelInferRequest(model_name=model, inputs=tensors).SerializeToString())


async def grpc_client(server: Server, content: bytes) -> Ask:
    channel = grpc.aio.insecure_channel(server.grpc, options=[("grpc.use_local_subchannel_pool", 1)])
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

    async def ask() -> None:
        await call(content)

    return ask


async def rate(server: Server, transport: str, model: str, rows: int, connections: int, seconds: float) -> float:
    """Requests a second over `connections` connections, each asking again as soon as it is answered."""
    if transport == "REST":
        clients = [await rest_client(server, rest_request(server, model, rows)) for _ in range(connections)]
    else:
        clients = [await grpc_client(server, grpc_request(model, rows)) for _ in range(connections)]
    await asyncio.gather(*(ask() for ask in clients))
    done = 0
    end = time.perf_counter() + seconds

    async def loop(ask: Ask) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await ask()
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(loop(ask) for ask in clients))
    return done / (time.perf_counter() - started)


async def measure(server: Server, seconds: float, rounds: int) -> Mapping[tuple[str, int, str], list[float]]:
    cases = [
        (transport, rows, model) for transport in ("REST", "gRPC") for rows in (1, 1000) for model in ("bare", "fair-price", "decision")
    ]
    rates: dict[tuple[str, int, str], list[float]] = {case: [] for case in cases}
    for _ in range(rounds):
        for transport, rows, model in cases:
            connections = CONNECTIONS if rows == 1 else 4
            rates[transport, rows, model].append(await rate(server, transport, model, rows, connections, seconds))
    return rates


def report(rates: Mapping[tuple[str, int, str], list[float]], workers: int) -> None:
    for (transport, rows, model), found in rates.items():
        bare = rates[transport, rows, "bare"]
        ratio = statistics.median(mine / theirs for mine, theirs in zip(found, bare, strict=True))
        unit = "requests/s" if rows == 1 else "rows/s"
        click.echo(
            f"workers={workers} {transport:4} rows={rows:4} {model:10} "
            f"{statistics.median(found) * rows:9,.0f} {unit}, {ratio:.2f}x the bare runtime"
        )


def bench(folder: Path, workers: int, seconds: float, rounds: int) -> None:
    ports = models_folder(folder / "models", workers)
    digest = make_book(folder / "book", CARDS)
    point_at(folder / "models", folder / "book", digest, "1")
    bare = folder / "models" / "bare" / "model-settings.json"
    bare.parent.mkdir()
    bare.write_text(json.dumps({"name": "bare", "implementation": "tests.bench.numpy_runtime.BareRuntime"}))
    with running(folder / "models", ports, {"POKEWATCH_HOME": str(folder)}) as server:
        report(uvloop.run(measure(server, seconds, rounds)), workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", default="0", help="MLServer's parallel_workers to try, separated by commas")
    options = parser.parse_args()
    for workers in options.workers.split(","):
        with tempfile.TemporaryDirectory() as folder:
            bench(Path(folder), int(workers), options.seconds, options.rounds)


if __name__ == "__main__":
    main()
