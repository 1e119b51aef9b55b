"""Latency of a call to MLServer over each transport that the gateway could use."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median
from time import perf_counter

import aiohttp
import grpc.aio
import uvloop
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from pokewatch.gateway.upstream.http_client import UpstreamHttpClient
from tests.serving.server import Server

ROUNDS = 300
PATH = "/v2/models/fair-price/infer"


def body(rows: int) -> bytes:
    cards = [f"card_{number}" for number in range(rows)]
    return json.dumps(
        {"inputs": [{"name": "card_id", "shape": [rows], "datatype": "BYTES", "data": cards}]}
    ).encode()


def message(rows: int) -> pb.ModelInferRequest:
    tensor = pb.ModelInferRequest.InferInputTensor(name="card_id", shape=[rows], datatype="BYTES")
    tensor.contents.bytes_contents.extend(f"card_{number}".encode() for number in range(rows))
    return pb.ModelInferRequest(model_name="fair-price", inputs=[tensor])


async def median_ms(call: Callable[[], Awaitable[object]]) -> float:
    """Return the median milliseconds of a call."""
    times = []
    for _ in range(ROUNDS):
        started = perf_counter()
        await call()
        times.append(perf_counter() - started)
    return median(times[ROUNDS // 10 :]) * 1_000


async def measure(server: Server) -> dict[str, float]:
    found = {}
    client = UpstreamHttpClient(server.url)
    async with (
        aiohttp.ClientSession() as session,
        grpc.aio.insecure_channel(server.grpc) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for rows in (1, 32):
            content, request = body(rows), message(rows)

            def over_ours(content: bytes = content) -> Awaitable[object]:
                return client.send(PATH, content, 10)

            async def over_aiohttp(content: bytes = content) -> bytes:
                async with session.post(
                    server.url + PATH, data=content, headers={"Content-Type": "application/json"}
                ) as response:
                    return await response.read()

            found[f"own client, {rows} rows"] = await median_ms(over_ours)
            found[f"aiohttp, {rows} rows"] = await median_ms(over_aiohttp)
            found[f"gRPC, {rows} rows"] = await median_ms(partial(stub.ModelInfer, request))
    client.close()
    return found


def transports(server: Server) -> dict[str, float]:
    """Return the milliseconds per sequential call, by transport and rows."""
    return uvloop.run(measure(server))
