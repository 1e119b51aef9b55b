from typing import Any

import numpy as np
import pytest
from mlserver.grpc.converters import ModelInferResponseConverter
from mlserver.types import InferenceResponse, Parameters

from pokewatch.serving.mlserver.grpc_tensors import ColumnResponseConverter
from pokewatch.serving.runtime import ColumnResponse

NUMBERS = np.array([1.5, -0.0, np.inf, 5e-324])


def response(
    kind: type[InferenceResponse], texts: list[Any], as_array: bool = False
) -> InferenceResponse:
    rows = len(texts)
    numbers: Any = np.resize(NUMBERS, rows)
    if not as_array:
        numbers = numbers.tolist()
    outputs = [
        {"name": "status", "shape": [rows], "datatype": "BYTES", "data": texts},
        {"name": "fair_price", "shape": [rows], "datatype": "FP64", "data": numbers},
    ]
    parameters = Parameters(model_version="7", data_version="dv-1")
    content = {"model_name": "m", "id": "1", "parameters": parameters, "outputs": outputs}
    return kind.model_validate(content)


@pytest.mark.parametrize("as_array", [True, False], ids=["array", "list"])
@pytest.mark.parametrize("texts", [["ok", "ok"], ["ok", "é"], [""], ["ok"] * 300])
def test_columns_are_written_as_mlserver_writes_them(texts: list[str], as_array: bool) -> None:
    columns = response(ColumnResponse, texts, as_array)
    theirs = response(InferenceResponse, [text.encode() for text in texts])
    written = ColumnResponseConverter.from_types(columns)
    assert written == ModelInferResponseConverter.from_types(theirs)
    assert written == ColumnResponseConverter.from_types(theirs)
    assert len(columns.outputs) == 2


def test_raw_contents_are_those_of_mlserver() -> None:
    texts = ["ok", "é"]
    columns = response(ColumnResponse, texts, as_array=True)
    written = ColumnResponseConverter.from_types(columns, use_raw=True)
    theirs = response(InferenceResponse, texts)
    assert written == ModelInferResponseConverter.from_types(theirs, use_raw=True)
    assert len(written.raw_output_contents) == 2
