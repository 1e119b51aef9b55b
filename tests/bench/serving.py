"""Requests and rows per second of the runtimes, compared with a bare NumPy runtime.

The bare runtime runs in the same MLServer and uses MLServer's own endpoints.

    python -m tests.bench.serving [--seconds 2] [--rounds 5] [--workers 0,1,2]

Each round measures every model in turn, so that other load on the machine affects all of them. A
figure is the median over the rounds, a ratio the median of the ratios within a round. `cpu` is the
server's CPU time per request, and its ratio that of the bare runtime divided by it; it is the more
reliable figure on a busy machine. `fair-price/2` requests as many outputs as the bare runtime
returns. `echo` returns seven outputs like `fair-price` without computing anything, which shows
the cost of MLServer itself for a response of that size.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import grpc.aio
import psutil
import uvloop
from mlserver.grpc import dataplane_pb2 as pb

from tests.serving.books import make_book
from tests.serving.server import Server, add_model, models_folder, point_at, running, tensor

CARDS = 5000
CONNECTIONS = 16
MODELS = ("bare", "echo", "fair-price", "fair-price/2", "decision")
Send = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    transport: str
    rows: int
    model: str


@dataclass(frozen=True)
class Speed:
    """Requests per second, and CPU seconds per request."""

    rate: float
    cpu: float


def inputs(model: str, rows: int) -> list[dict[str, Any]]:
    if model.startswith(("fair-price", "echo")):
        return [tensor("card_id", [f"tcgplayer-{i % CARDS}-normal" for i in range(rows)])]
    return [
        tensor("market_price", [90.0 + i % 30 for i in range(rows)]),
        tensor("fair_price", [100.0] * rows),
    ]


def rest_request(server: Server, model: str, rows: int) -> bytes:
    outputs = [{"name": name} for name in ("fair_price", "status")] if model.endswith("/2") else []
    body = json.dumps({"inputs": inputs(model, rows), "outputs": outputs}).encode()
    path = f"/v2/models/{model.removesuffix('/2')}/infer"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def rest_client(server: Server, content: bytes) -> Send:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port, limit=2**22)

    async def send() -> None:
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        await reader.readexactly(int(length[15:]))

    return send


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
            pb.ModelInferRequest.InferInputTensor(
                name=given["name"],
                shape=given["shape"],
                datatype=given["datatype"],
                contents=contents,
            )
        )
    wanted = (
        [
            pb.ModelInferRequest.InferRequestedOutputTensor(name=name)
            for name in ("fair_price", "status")
        ]
        if model.endswith("/2")
        else []
    )
    request = pb.ModelInferRequest(
        model_name=model.removesuffix("/2"), inputs=tensors, outputs=wanted
    )
    return bytes(request.SerializeToString())


async def grpc_client(server: Server, content: bytes) -> Send:
    channel = grpc.aio.insecure_channel(
        server.grpc, options=[("grpc.use_local_subchannel_pool", 1)]
    )
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

    async def send() -> None:
        await call(content)

    return send


def cpu_seconds(server: Server) -> float:
    """Return the CPU time used by the server and its workers so far."""
    times = [
        process.cpu_times() for process in (psutil.Process(server.process.pid), *server.workers())
    ]
    return sum(each.user + each.system for each in times)


async def speed(server: Server, case: Case, connections: int, seconds: float) -> Speed:
    """Measure with connections that each send a request as soon as the last is answered."""
    if case.transport == "REST":
        clients = [
            await rest_client(server, rest_request(server, case.model, case.rows))
            for _ in range(connections)
        ]
    else:
        clients = [
            await grpc_client(server, grpc_request(case.model, case.rows))
            for _ in range(connections)
        ]
    await asyncio.gather(*(send() for send in clients))
    done = 0
    cpu, started = cpu_seconds(server), time.perf_counter()

    async def loop(send: Send) -> None:
        nonlocal done
        while time.perf_counter() < started + seconds:
            await send()
            done += 1

    await asyncio.gather(*(loop(send) for send in clients))
    return Speed(done / (time.perf_counter() - started), (cpu_seconds(server) - cpu) / done)


async def measure(server: Server, seconds: float, rounds: int) -> Mapping[Case, list[Speed]]:
    cases = [
        Case(transport, rows, model)
        for transport in ("REST", "gRPC")
        for rows in (1, 1000)
        for model in MODELS
    ]
    speeds: dict[Case, list[Speed]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            speeds[case].append(
                await speed(server, case, CONNECTIONS if case.rows == 1 else 4, seconds)
            )
    return speeds


def report(speeds: Mapping[Case, list[Speed]], workers: int) -> None:
    for case, found in speeds.items():
        pairs = list(zip(found, speeds[replace(case, model="bare")], strict=True))
        rate, cpu = (
            statistics.median(each.rate for each in found),
            statistics.median(each.cpu for each in found),
        )
        by_rate = statistics.median(mine.rate / bare.rate for mine, bare in pairs)
        by_cpu = statistics.median(bare.cpu / mine.cpu for mine, bare in pairs)
        click.echo(
            f"workers={workers} {case.transport:4} rows={case.rows:4} {case.model:12} "
            f"{rate:7,.0f} requests/s {rate * case.rows:9,.0f} rows/s "
            f"{by_rate:.2f}x the bare runtime; cpu {cpu * 1e6:6,.0f} us, {by_cpu:.2f}x"
        )


def bench(folder: Path, workers: int, seconds: float, rounds: int) -> None:
    ports = models_folder(folder / "models", workers)
    digest = make_book(folder / "book", CARDS)
    point_at(folder / "models", folder / "book", digest, "1")
    for name, runtime in (("bare", "BareRuntime"), ("echo", "EchoRuntime")):
        add_model(folder / "models", name, f"tests.bench.numpy_runtime.{runtime}")
    with running(folder / "models", ports, {"POKEWATCH_HOME": str(folder)}) as server:
        report(uvloop.run(measure(server, seconds, rounds)), workers)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--workers", default="0", help="comma-separated values of parallel_workers to measure"
    )
    options = parser.parse_args()
    for workers in options.workers.split(","):
        with tempfile.TemporaryDirectory() as folder:
            bench(Path(folder), int(workers), options.seconds, options.rounds)


if __name__ == "__main__":
    main()
