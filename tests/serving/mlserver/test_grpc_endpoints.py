import math
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

from tests.serving.server import Server, columns, infer, tensor

CARDS = ["card_4", "tcgplayer-5-normal", "nobody", "card_1", "card_7"]
PRICES: dict[str, list[Any]] = {
    "market_price": [90.0, 100.0, 130.0, -1.0, 0.0],
    "fair_price": [100.0, 100.0, 100.0, 100.0, 100.0],
    "status": ["ok", "stale_price", "", "ok", "ok"],
}


@pytest.fixture
def stub(server: Server) -> Iterator[GRPCInferenceServiceStub]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield GRPCInferenceServiceStub(channel)


def message(model: str, outputs: list[str], **inputs: list[Any]) -> pb.ModelInferRequest:
    return pb.ModelInferRequest(
        model_name=model,
        id="one",
        outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs],
        inputs=[
            pb.ModelInferRequest.InferInputTensor(
                name=name,
                datatype="BYTES" if isinstance(data[0], str) else "FP64",
                shape=[len(data)],
                contents=pb.InferTensorContents(bytes_contents=[text.encode() for text in data])
                if isinstance(data[0], str)
                else pb.InferTensorContents(fp64_contents=data),
            )
            for name, data in inputs.items()
        ],
    )


def values(response: pb.ModelInferResponse) -> dict[str, list[Any]]:
    """Return the outputs as REST has them: text, and null for NaN."""
    return {
        output.name: [
            value.decode() if isinstance(value, bytes) else None if math.isnan(value) else value
            for value in (*output.contents.bytes_contents, *output.contents.fp64_contents)
        ]
        for output in response.outputs
    }


@pytest.mark.parametrize("outputs", [[], ["slug", "distribution", "fair_price"]])
def test_prices_are_those_of_rest(
    server: Server, stub: GRPCInferenceServiceStub, outputs: list[str]
) -> None:
    given = {"card_id": CARDS, "date": ["2026-01-02", "", "soon", "", ""]}
    response = stub.ModelInfer(message("fair-price", outputs, **given))
    inputs = [tensor(name, data) for name, data in given.items()]
    rest = infer(server, "fair-price", *inputs, outputs=[{"name": name} for name in outputs])
    assert values(response) == columns(rest)
    assert [list(each.shape) for each in response.outputs] == [
        each["shape"] for each in rest.json()["outputs"]
    ]
    assert (response.id, response.model_name) == ("one", "fair-price")
    assert {name: value.string_param for name, value in response.parameters.items()} == rest.json()[
        "parameters"
    ]


@pytest.mark.parametrize("rows", [1, 5])
def test_decisions_are_those_of_rest(
    server: Server, stub: GRPCInferenceServiceStub, rows: int
) -> None:
    given = {name: data[:rows] for name, data in PRICES.items()}
    inputs = [tensor(name, data) for name, data in given.items()]
    response = stub.ModelInfer(message("decision", [], **given))
    assert values(response) == columns(infer(server, "decision", *inputs))


def test_a_distribution_of_several_numbers_a_row(
    server: Server, stub: GRPCInferenceServiceStub
) -> None:
    cards = ["card_4", "card_5"]
    found = stub.ModelInfer(message("fair-price", ["distribution"], card_id=cards))
    numbers = found.outputs[0].contents.fp64_contents
    request = message("decision", [], market_price=[4.0, 5.0], fair_price=[5.0, 6.0])
    request.inputs.add(
        name="distribution",
        datatype="FP64",
        shape=[2, 10],
        contents=pb.InferTensorContents(fp64_contents=numbers),
    )
    rest = infer(
        server,
        "decision",
        tensor("market_price", [4.0, 5.0]),
        tensor("fair_price", [5.0, 6.0]),
        tensor("distribution", list(numbers), shape=[2, 10]),
    )
    assert values(stub.ModelInfer(request)) == columns(rest)


def test_a_stream_and_raw_contents_have_the_same_answers(stub: GRPCInferenceServiceStub) -> None:
    given = message("decision", [], **PRICES)
    alone = stub.ModelInfer(given)
    assert list(stub.ModelStreamInfer(iter([given]))) == [alone]
    raw = message("decision", [], **PRICES)
    for each in raw.inputs:
        each.ClearField("contents")
    raw.raw_input_contents.extend(
        [
            np.array(PRICES["market_price"]).tobytes(),
            np.array(PRICES["fair_price"]).tobytes(),
            b"".join(len(text).to_bytes(4, "little") + text.encode() for text in PRICES["status"]),
        ]
    )
    contents = stub.ModelInfer(raw).raw_output_contents
    deviations = alone.outputs[1].contents.fp64_contents
    np.testing.assert_array_equal(np.frombuffer(contents[1]), deviations)


def test_other_models_are_answered_by_mlserver(
    server: Server, stub: GRPCInferenceServiceStub
) -> None:
    prices = {name: PRICES[name] for name in ("market_price", "fair_price")}
    response = stub.ModelInfer(message("bare", [], **prices))
    inputs = [tensor(name, data) for name, data in prices.items()]
    assert values(response) == columns(infer(server, "bare", *inputs))


def test_the_request_id_is_in_the_trailing_metadata(stub: GRPCInferenceServiceStub) -> None:
    _, call = stub.ModelInfer.with_call(
        message("decision", [], **PRICES), metadata=[("x-request-id", "abc-1")]
    )
    assert ("x-request-id", "abc-1") in call.trailing_metadata()


@pytest.mark.parametrize(
    ("model", "inputs", "code"),
    [
        ("nobodys-model", {"card_id": CARDS}, grpc.StatusCode.NOT_FOUND),
        ("fair-price", {"name": CARDS}, grpc.StatusCode.INVALID_ARGUMENT),
        ("decision", {"market_price": [1.0]}, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_faults_have_the_codes_of_mlserver(
    stub: GRPCInferenceServiceStub, model: str, inputs: dict[str, list[Any]], code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        stub.ModelInfer(message(model, [], **inputs))
    assert error.value.code() == code
