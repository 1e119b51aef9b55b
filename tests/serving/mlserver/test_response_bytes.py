from typing import Any

import numpy as np
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.converters import ModelInferResponseConverter
from mlserver.types import InferenceResponse, Parameters

from pokewatch.serving.mlserver.response_bytes import response_bytes
from pokewatch.serving.runtime import ColumnResponse

NUMBERS = np.array([1.5, -0.0, np.inf, 5e-324])


def response(kind: type[InferenceResponse], texts: list[Any], numbers: Any) -> InferenceResponse:
    rows = len(texts)
    outputs = [
        {"name": "status", "shape": [rows], "datatype": "BYTES", "data": texts},
        {"name": "fair_price", "shape": [rows], "datatype": "FP64", "data": numbers},
    ]
    parameters = Parameters(model_version="7", data_version="dv-1")
    content = {"model_name": "m", "id": "1", "parameters": parameters, "outputs": outputs}
    return kind.model_validate(content)


@pytest.mark.parametrize(
    "texts",
    [
        ["ok", "ok"],
        ["ok", "é"],
        ["ok", "stale_price", "ok"],
        [""],
        ["x" * 200, "y"],
        ["ok"] * 300,
        [f"tcgplayer-{row}-normal" for row in range(3000)],
    ],
    ids=["same", "not ASCII", "ends the same", "empty", "long", "many the same", "many"],
)
@pytest.mark.parametrize("order", ["<f8", ">f8"])
def test_the_message_is_that_of_mlserver(texts: list[str], order: str) -> None:
    numbers = np.resize(NUMBERS, len(texts))
    written = response_bytes(response(ColumnResponse, texts, numbers.astype(order)))
    encoded = [text.encode() for text in texts]
    theirs = ModelInferResponseConverter.from_types(
        response(InferenceResponse, encoded, numbers.tolist())
    )
    assert pb.ModelInferResponse.FromString(written) == theirs
    assert len(written) == theirs.ByteSize()
