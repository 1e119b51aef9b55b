"""Inference by models in this process, as spans."""

import asyncio
import json
from pathlib import Path
from typing import Any

from pokewatch.in_process.models import InProcessModels
from pokewatch.in_process.transport import InProcessTransport
from pokewatch.tracing.tracer import Tracer
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at, tensor
from tests.tracing.collector import Received, collecting
from tests.tracing.test_tracer import CALLER, TRACE

LINES = f"traceparent: 00-{TRACE}-{CALLER}-01\r\n".encode()


def asked(folder: Path, *requests: tuple[str, dict[str, Any], bytes]) -> list[Received]:
    """Ask models in this process; return the spans."""
    models_folder(folder)
    point_at(folder, folder / "book", make_book(folder / "book"), "7")

    async def ask() -> list[Received]:
        with collecting() as collector:
            tracer = Tracer("tests", collector.url)
            transport = InProcessTransport(InProcessModels(folder, tracer))

            for path in ("/v2/models/fair-price/ready", "/v2/models/decision/ready"):
                for _ in range(2_000):
                    if (await transport.send(path, None, 5.0)).status == 200:
                        break
                    await asyncio.sleep(0.02)
            for model, content, headers in requests:
                path, body = f"/v2/models/{model}/infer", json.dumps({"inputs": [content]})
                await transport.send(path, body.encode(), 5.0, headers)
            transport.close()
            tracer.close()
            return collector.spans

    return asyncio.run(ask())


def test_a_request_in_a_trace_is_a_span(tmp_path: Path) -> None:
    cards = tensor("card_id", ["card_1", "card_2"])
    [good, bad] = asked(
        tmp_path,
        ("fair-price", cards, LINES),
        ("fair-price", cards, b""),
        ("decision", cards, LINES),
    )
    assert (good.name, good.kind, good.trace, good.parent) == (
        "infer fair-price",
        "INTERNAL",
        TRACE,
        CALLER,
    )
    assert good.attributes == {"pokewatch.rows": 2, "pokewatch.model_version": "7"}
    assert (bad.name, bad.failed, bad.attributes) == (
        "infer decision",
        True,
        {"error.type": "BadInputError"},
    )
