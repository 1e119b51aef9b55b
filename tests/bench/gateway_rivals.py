"""Baselines for the gateway: a bare Starlette route and a plain gateway.

`plain` makes two calls per request to the MLServer at MLSERVER_URL over aiohttp, without keys,
limits, validation or metrics. Both run with uvicorn on uvloop and httptools.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ANSWER = {
    "card_id": "x",
    "date": "2026-01-01",
    "market_price": 90.0,
    "fair_price": 100.0,
    "deviation_pct": -0.1,
    "signal": "BUY",
}


@asynccontextmanager
async def session(app: Starlette) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(
        os.environ["MLSERVER_URL"], connector=aiohttp.TCPConnector(limit=128)
    ) as client:
        app.state.client = client
        yield


async def infer(
    client: aiohttp.ClientSession, model: str, inputs: list[dict[str, Any]]
) -> dict[str, Any]:
    async with client.post(f"/v2/models/{model}/infer", json={"inputs": inputs}) as response:
        return {output["name"]: output["data"][0] for output in (await response.json())["outputs"]}


async def fair_price(request: Request) -> Response:
    body = await request.json()
    client = request.app.state.client
    price = await infer(
        client,
        "fair-price",
        [{"name": "card_id", "shape": [1], "datatype": "BYTES", "data": [body["card_id"]]}],
    )
    prices = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [price[name]]}
        for name in ("market_price", "fair_price")
    ]
    return JSONResponse(price | await infer(client, "decision", prices))


async def bare(request: Request) -> Response:
    return JSONResponse(ANSWER)


plain = Starlette(routes=[Route("/fair_price", fair_price, methods=["POST"])], lifespan=session)
bare_app = Starlette(routes=[Route("/fair_price", bare, methods=["POST"])])
