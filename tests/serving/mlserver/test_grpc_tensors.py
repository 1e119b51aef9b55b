from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.converters import ModelInferResponseConverter
from mlserver.types import InferenceResponse

from pokewatch.serving.mlserver.grpc_tensors import (
    CheckedRequestConverter,
    ColumnRequestConverter,
    ColumnResponseConverter,
)
from pokewatch.serving.runtime import ColumnResponse
from pokewatch.serving.tensors import BadInputError
from tests.serving.mlserver.test_response_bytes import NUMBERS, response


@pytest.mark.parametrize("kind", [ColumnResponse, InferenceResponse])
def test_a_response_becomes_the_message_of_mlserver(kind: type[InferenceResponse]) -> None:
    given_response = response(kind, [text.encode() for text in "abcd"], NUMBERS.tolist())
    if kind is ColumnResponse:
        given_response = response(kind, list("abcd"), NUMBERS)
    theirs = response(InferenceResponse, [text.encode() for text in "abcd"], NUMBERS.tolist())
    written = ColumnResponseConverter.from_types(given_response)
    assert written == ModelInferResponseConverter.from_types(theirs)
    assert len(given_response.outputs) == 2


def test_raw_contents_are_those_of_mlserver() -> None:
    texts = ["ok", "é"]
    written = ColumnResponseConverter.from_types(
        response(ColumnResponse, texts, NUMBERS[:2]), use_raw=True
    )
    theirs = response(InferenceResponse, texts, NUMBERS[:2].tolist())
    assert written == ModelInferResponseConverter.from_types(theirs, use_raw=True)
    assert len(written.raw_output_contents) == 2


def message(datatype: str, rows: int, **contents: Any) -> pb.ModelInferRequest:
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="price",
        datatype=datatype,
        shape=[rows],
        contents=pb.InferTensorContents(**contents),
        parameters={"content_type": pb.InferParameter(string_param="np")},
    )
    return pb.ModelInferRequest(
        model_name="m",
        id="one",
        inputs=[tensor],
        outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name="signal")],
        parameters={"trace": pb.InferParameter(bool_param=True)},
    )


@given(st.lists(st.floats(), max_size=300))
def test_numbers_become_an_array(values: list[float]) -> None:
    converted = ColumnRequestConverter.to_types(message("FP64", len(values), fp64_contents=values))
    assert not values or converted.inputs[0].data.dtype == np.float64
    np.testing.assert_array_equal(converted.inputs[0].data, values)


def test_fields_of_a_later_protocol_do_not_shift_the_numbers() -> None:
    request = message("FP64", 2, fp64_contents=[1.5, 2.5])
    unknown = b"\xa0\x06\x01"  # field 100, a number
    request.inputs[0].contents.MergeFromString(unknown)
    assert unknown in request.SerializeToString()
    assert ColumnRequestConverter.to_types(request).inputs[0].data.tolist() == [1.5, 2.5]


@pytest.mark.filterwarnings(
    "ignore:The `construct` method is deprecated:DeprecationWarning"
)  # MLServer's
@pytest.mark.parametrize(
    ("datatype", "contents"),
    [
        ("BYTES", {"bytes_contents": [b"a", "é".encode(), b"\xff"]}),
        ("INT64", {"int64_contents": [1, 2, 3]}),
        ("FP64", {"fp64_contents": [1.0, 2.0, 3.0]}),
        ("FP64", {}),
    ],
    ids=["text", "whole numbers", "numbers", "nothing"],
)
def test_all_else_is_converted_as_by_mlserver(datatype: str, contents: dict[str, Any]) -> None:
    request = message(datatype, 3, **contents)
    converted, theirs = (
        converter.to_types(request)
        for converter in (ColumnRequestConverter, CheckedRequestConverter)
    )
    assert (converted.id, converted.parameters) == (theirs.id, theirs.parameters)
    assert [output.name for output in converted.outputs] == ["signal"]
    (ours,), (other,) = converted.inputs, theirs.inputs
    assert list(ours.data) == other.data.root
    fields = ("name", "shape", "datatype", "parameters")
    assert [getattr(ours, field) for field in fields] == [getattr(other, field) for field in fields]


def test_a_request_that_names_no_outputs() -> None:
    request = message("FP64", 1, fp64_contents=[1.0])
    del request.outputs[:]
    assert ColumnRequestConverter.to_types(request).outputs is None


@pytest.mark.parametrize("converter", [ColumnRequestConverter, CheckedRequestConverter])
def test_contents_of_another_datatype(converter: type[CheckedRequestConverter]) -> None:
    with pytest.raises(BadInputError, match="datatype FP64 but bytes_contents"):
        converter.to_types(message("FP64", 1, bytes_contents=[b"a"]))
