import gzip
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

from tests.serving.books import make_book
from tests.serving.server import Server, infer, models_folder, point_at, running, tensor

INFER = "/v2/models/fair-price/infer"
JSON = {"Content-Type": "application/json"}
CARD = tensor("card_id", ["card_4"])


def rejection(response: httpx.Response) -> str:
    """Return the error of a V2 error object."""
    assert 400 <= response.status_code < 500, response.text
    content = response.json()
    assert set(content) == {"error"}
    return str(content["error"])


def fp64(name: str, data: list[Any], shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": "FP64", "data": data}


PRICES = fp64("market_price", [90.0, 91.0]), fp64("fair_price", [100.0, 100.0])

MALFORMED: dict[str, tuple[str, list[dict[str, Any]], str]] = {
    "text in FP64": (
        "decision",
        [fp64("market_price", ["90", 91.0]), PRICES[1]],
        "'market_price' must be numbers, got '90' at row 0",
    ),
    "bool in FP64": (
        "decision",
        [fp64("market_price", [True, 91.0]), PRICES[1]],
        "'market_price' must be numbers, got True at row 0",
    ),
    "lengths": (
        "decision",
        [PRICES[0], fp64("fair_price", [100.0])],
        "'fair_price' has 1 rows, 'market_price' has 2",
    ),
    "shape": (
        "decision",
        [fp64("market_price", [90.0, 91.0], [3]), PRICES[1]],
        "'market_price' has 2 values but the shape [3]",
    ),
    "shape of text": (
        "fair-price",
        [tensor("card_id", ["a", "b"], shape=[1])],
        "'card_id' has 2 values",
    ),
    "matrix": (
        "decision",
        [fp64("market_price", [90.0, 91.0], [1, 2]), PRICES[1]],
        "'market_price' has 2 values",
    ),
    "no shape": ("fair-price", [{**CARD, "shape": []}], "'card_id' has 1 values"),
    "negative shape": ("fair-price", [{**CARD, "shape": [-1]}], "'card_id' has 1 values"),
    "numbers for text": (
        "fair-price",
        [tensor("card_id", [5], "BYTES")],
        "'card_id' must be text, got 5 at row 0",
    ),
    "null for text": (
        "fair-price",
        [tensor("card_id", [None], "BYTES")],
        "'card_id' must be text, got None at row 0",
    ),
    "datatype": (
        "fair-price",
        [{**CARD, "datatype": "FP64"}],
        "'card_id' must have datatype BYTES, got 'FP64'",
    ),
    "no such datatype": ("fair-price", [{**CARD, "datatype": "TEXT"}], "datatype"),
    "missing": ("decision", [PRICES[0]], "'fair_price' is missing"),
    "unknown": (
        "fair-price",
        [CARD, {**CARD, "name": "card"}],
        "unknown input 'card'; expected card_id, date, market_price",
    ),
    "twice": ("fair-price", [CARD, CARD], "'card_id' is repeated"),
    "no rows": ("fair-price", [tensor("card_id", [], "BYTES")], "'card_id' has no rows"),
    "no inputs": ("fair-price", [], "'card_id' is missing"),
    "not a list": (
        "fair-price",
        [{**CARD, "data": "card_4"}],
        "the data of input 'card_id' must be a list",
    ),
    "an object": (
        "fair-price",
        [{**CARD, "data": {"a": 1}}],
        "the data of input 'card_id' must be a list",
    ),
    "nested": ("fair-price", [{**CARD, "data": [["card_4"]]}], "'card_id' must be text"),
    "ragged": (
        "fair-price",
        [tensor("card_id", [["a"], ["b", "c"]], "BYTES", [2, 1])],
        "'card_id' must be text",
    ),
    "thresholds": ("decision", [*PRICES, fp64("buy_threshold_pct", [0.5])], "buy threshold"),
    "three thresholds": (
        "decision",
        [*PRICES, fp64("buy_threshold_pct", [-0.1] * 3)],
        "'buy_threshold_pct' has 3 rows",
    ),
    "too many rows": (
        "fair-price",
        [tensor("card_id", ["a"] * 10_001)],
        "'card_id' has 10001 rows, more than the limit of 10000",
    ),
    "a name of any length": ("fair-price", [{**CARD, "name": "x" * 10_000}], "unknown input"),
}


@pytest.mark.parametrize(("model", "inputs", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_tensors_are_named(
    server: Server, model: str, inputs: list[dict[str, Any]], reason: str
) -> None:
    found = rejection(infer(server, model, *inputs))
    assert reason in found
    assert len(found) < 500


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ([{"name": "price"}], "unknown output 'price'"),
        ([{"name": "status"}] * 2, "requested more than once"),
        ("status", "outputs"),
    ],
    ids=["unknown", "twice", "not a list"],
)
def test_malformed_outputs(server: Server, outputs: Any, reason: str) -> None:
    assert reason in rejection(infer(server, "fair-price", CARD, outputs=outputs))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", JSON),
        (b"{", JSON),
        (b"[]", JSON),
        (b"\xff\xfe", JSON),
        (b"NaN", JSON),
        (b"[" * 5000, JSON),
        (b'{"inputs": 1}', JSON),
        (b'{"inputs": [{"name": "card_id"}]}', JSON),
        (b"not gzip", {**JSON, "Content-Encoding": "gzip"}),
        (gzip.compress(b"{}")[:-4], {**JSON, "Content-Encoding": "gzip"}),
        (json.dumps({"inputs": [CARD], "parameters": {"headers": "x"}}).encode(), JSON),
    ],
    ids=[
        "empty",
        "cut",
        "list",
        "binary",
        "nan",
        "deep",
        "inputs",
        "no data",
        "no gzip",
        "cut gzip",
        "parameters",
    ],
)
def test_invalid_bodies(server: Server, body: bytes, headers: dict[str, str]) -> None:
    rejection(httpx.post(server.url + INFER, content=body, headers=headers))


@pytest.mark.parametrize("model", ["fair-price", "bare"])
def test_binary_tensors_are_unsupported(server: Server, model: str) -> None:
    """As tritonclient sends them by default."""
    header = json.dumps({"inputs": [{**CARD, "parameters": {"binary_data_size": 10}}]}).encode()
    body, headers = (
        header + b"\x06\x00\x00\x00card_4",
        {"Inference-Header-Content-Length": str(len(header))},
    )
    response = httpx.post(f"{server.url}/v2/models/{model}/infer", content=body, headers=headers)
    assert (response.status_code, "binary_data=False" in rejection(response)) == (415, True)


@pytest.mark.parametrize("kind", [None, "application/octet-stream"])
def test_a_body_is_json_whatever_its_content_type(server: Server, kind: str | None) -> None:
    """As tritonclient sends it."""
    body = json.dumps({"inputs": [CARD]})
    headers = {"Content-Type": kind} if kind else {}
    assert httpx.post(server.url + INFER, content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_other_errors_have_the_same_shape(server: Server, method: str) -> None:
    rejection(httpx.request(method, server.url + INFER))
    rejection(httpx.request(method, f"{server.url}/nowhere"))


def test_a_large_body(server: Server) -> None:
    response = httpx.post(server.url + INFER, content=b" " * 9_000_000, headers=JSON)
    assert (response.status_code, rejection(response)) == (
        413,
        "the request body is larger than 8388608 bytes",
    )


@pytest.mark.integration
def test_a_body_that_does_not_arrive(tmp_path: Path) -> None:
    digest, ports = make_book(tmp_path / "book"), models_folder(tmp_path / "models")
    point_at(tmp_path / "models", tmp_path / "book", digest, "7")
    environment = {"POKEWATCH_HOME": str(tmp_path / "home"), "POKEWATCH_MAX_BODY_SECONDS": "0.5"}
    with (
        running(tmp_path / "models", ports, environment) as impatient,
        socket.create_connection(("127.0.0.1", impatient.http_port)) as slow,
    ):
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        slow.settimeout(30)
        answer = slow.recv(4096).decode()
        assert answer.startswith("HTTP/1.1 408 ")
        assert "did not arrive within 0.5 s" in answer + slow.recv(4096).decode()
        assert infer(impatient, "fair-price", CARD).status_code == 200


def test_a_body_too_large_once_unpacked(server: Server) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    response = httpx.post(
        server.url + INFER, content=bomb, headers={**JSON, "Content-Encoding": "gzip"}
    )
    assert response.status_code == 413
    assert "once unpacked" in rejection(response)


def test_gzip_both_ways(server: Server) -> None:
    body = gzip.compress(json.dumps({"inputs": [tensor("card_id", ["card_4"] * 200)]}).encode())
    response = httpx.post(
        server.url + INFER,
        content=body,
        headers={**JSON, "Content-Encoding": "gzip", "Accept-Encoding": "gzip"},
    )
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.json()["outputs"][0]["data"] == ["tcgplayer-4-normal"] * 200


@pytest.mark.parametrize("port", ["http_port", "grpc_port", "metrics_port"])
def test_listens_only_on_loopback(server: Server, port: str) -> None:
    """127.0.0.2 reaches what listens everywhere, and nothing that listens on 127.0.0.1."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", getattr(server, port)))


def test_streams_are_rejected_before_they_start(server: Server) -> None:
    response = httpx.post(
        f"{server.url}/v2/models/fair-price/infer_stream", json={"inputs": [CARD]}
    )
    assert (response.status_code, "does not stream" in rejection(response)) == (405, True)


def test_other_runtimes_use_the_endpoints_of_mlserver(server: Server) -> None:
    response = infer(server, "bare", *PRICES)
    assert [output["name"] for output in response.json()["outputs"]] == ["signal", "deviation_pct"]
    assert "X-Request-Id" not in response.headers
    streamed = httpx.post(f"{server.url}/v2/models/bare/infer_stream", json={"inputs": [*PRICES]})
    assert (streamed.status_code, streamed.headers["Content-Type"]) == (
        200,
        "text/event-stream; charset=utf-8",
    )


def test_every_body_is_validated(server: Server) -> None:
    for model in ("bare", "decision"):
        response = httpx.post(f"{server.url}/v2/models/{model}/infer", content=b"{", headers=JSON)
        assert (response.status_code, "JSON" in rejection(response)) == (422, True)


def test_unknown_models_create_no_metrics(server: Server) -> None:
    assert infer(server, "nobodys-model", CARD).status_code == 404
    assert "nobodys-model" not in server.metrics()


def test_the_request_id_is_returned(server: Server) -> None:
    response = httpx.post(
        server.url + INFER,
        json={"inputs": [CARD], "id": "v2-id"},
        headers={"X-Request-Id": "abc-1"},
    )
    assert (response.headers["X-Request-Id"], response.json()["id"]) == ("abc-1", "v2-id")


def test_an_id_that_is_not_valid_in_a_header(server: Server) -> None:
    response = infer(server, "fair-price", CARD, id="a\r\nSet-Cookie: b=é")
    assert response.json()["id"] == "a\r\nSet-Cookie: b=é"
    assert "Set-Cookie" not in response.headers


def request(**tensors: Any) -> pb.ModelInferRequest:
    return pb.ModelInferRequest(model_name="fair-price", **tensors)


def named(
    name: str, datatype: str, shape: list[int], **contents: Any
) -> pb.ModelInferRequest.InferInputTensor:
    return pb.ModelInferRequest.InferInputTensor(
        name=name,
        datatype=datatype,
        shape=shape,
        contents=pb.InferTensorContents(**contents) if contents else None,
    )


ONE = b"\x06\x00\x00\x00card_4"
GRPC_MALFORMED: dict[str, Callable[[], pb.ModelInferRequest]] = {
    "raw too short": lambda: request(
        inputs=[named("card_id", "BYTES", [1])], raw_input_contents=[ONE[:-1]]
    ),
    "raw too few": lambda: request(
        inputs=[named("card_id", "BYTES", [1]), named("date", "BYTES", [1])],
        raw_input_contents=[ONE],
    ),
    "raw too many": lambda: request(
        inputs=[named("card_id", "BYTES", [1])], raw_input_contents=[ONE, ONE]
    ),
    "raw of another length": lambda: request(
        inputs=[named("card_id", "BYTES", [1]), named("market_price", "FP64", [1])],
        raw_input_contents=[ONE, np.ones(2).tobytes()],
    ),
    "raw of a huge shape": lambda: request(
        inputs=[named("card_id", "BYTES", [1]), named("market_price", "FP64", [2**62])],
        raw_input_contents=[ONE, b""],
    ),
    "raw and contents": lambda: request(
        inputs=[named("card_id", "BYTES", [1], bytes_contents=[b"a"])], raw_input_contents=[ONE]
    ),
    "no such datatype": lambda: request(
        inputs=[named("card_id", "TEXT", [1])], raw_input_contents=[ONE]
    ),
    "contents of another type": lambda: request(
        inputs=[
            named("card_id", "BYTES", [1], bytes_contents=[b"a"]),
            named("market_price", "FP64", [1], fp32_contents=[1.0]),
        ]
    ),
    "no text": lambda: request(inputs=[named("card_id", "BYTES", [1], bytes_contents=[b"\xff"])]),
    "parameters": lambda: request(
        inputs=[named("card_id", "BYTES", [1], bytes_contents=[b"a"])],
        parameters={"headers": pb.InferParameter(string_param="x")},
    ),
    "nothing": request,
}


@pytest.mark.parametrize("make", GRPC_MALFORMED.values(), ids=GRPC_MALFORMED.keys())
def test_malformed_grpc_is_an_invalid_argument(
    server: Server, make: Callable[[], pb.ModelInferRequest]
) -> None:
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as error:
        GRPCInferenceServiceStub(channel).ModelInfer(make())
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.value.details()
