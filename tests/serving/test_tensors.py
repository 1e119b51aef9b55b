from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlserver.types import InferenceRequest, RequestInput, RequestOutput

from pokewatch.contract import TensorSpec
from pokewatch.serving.runtime import by_name
from pokewatch.serving.tensors import BadInputError, decode, metadata, wanted_outputs

DECLARED = by_name(
    TensorSpec("name", "BYTES"),
    TensorSpec("price", "FP64", optional=True),
    TensorSpec("edge", "FP64", optional=True, nullable=True),
    TensorSpec("rate", "FP64", optional=True, per_request=True),
)
ANSWERED = by_name(TensorSpec("name", "BYTES"), TensorSpec("more", "BYTES", on_request=True))


def request(*outputs: str, **columns: list[Any]) -> InferenceRequest:
    kinds = {name: tensor.datatype for name, tensor in DECLARED.items()}
    inputs = [
        RequestInput(name=name, shape=[len(data)], datatype=kinds[name], data=data)
        for name, data in columns.items()
    ]
    return InferenceRequest(
        inputs=inputs, outputs=[RequestOutput(name=name) for name in outputs] or None
    )


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_are_unchanged(prices: list[float]) -> None:
    columns = decode(request(name=["a"] * len(prices), price=prices), DECLARED, 100)
    np.testing.assert_array_equal(columns["price"], prices)


@given(st.lists(st.text(), min_size=1, max_size=20))
def test_text_is_the_same_from_rest_and_from_grpc(names: list[str]) -> None:
    from_rest = decode(request(name=names), DECLARED, 100)
    from_grpc = decode(
        request(name=[name.encode("utf-8", "surrogatepass") for name in names]), DECLARED, 100
    )
    assert from_rest == from_grpc == {"name": names}


def test_null_is_nan_in_nullable_inputs() -> None:
    columns = decode(request(name=["a", "b"], edge=[None, 2]), DECLARED, 100)
    np.testing.assert_array_equal(columns["edge"], [np.nan, 2.0])


def test_a_single_value_for_all_rows() -> None:
    assert len(decode(request(name=["a", "b"], rate=[0.1]), DECLARED, 100)["rate"]) == 1
    with pytest.raises(BadInputError, match="'price' has 1 rows, 'name' has 2"):
        decode(request(name=["a", "b"], price=[0.1]), DECLARED, 100)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan], ids=str)
@pytest.mark.parametrize("column", ["price", "edge"])
def test_non_finite_numbers(column: str, value: float) -> None:
    given_request = request(name=["a", "b"], **{column: [1.0, value]})
    if column == "edge":  # validated per row
        np.testing.assert_array_equal(decode(given_request, DECLARED, 100)["edge"], [1.0, value])
        return
    with pytest.raises(BadInputError, match=f"'{column}' must be finite, got {value} at row 1"):
        decode(given_request, DECLARED, 100)


def test_a_number_too_large_for_a_float() -> None:
    large = 10**400
    edges = decode(request(name=["a"] * 4, edge=[large, -large, None, 1]), DECLARED, 100)["edge"]
    np.testing.assert_array_equal(edges, [np.inf, -np.inf, np.nan, 1.0])
    with pytest.raises(BadInputError, match="'price' has a number too large"):
        decode(request(name=["a"], price=[large]), DECLARED, 100)


def test_the_limit_on_rows() -> None:
    decode(request(name=["a"] * 3), DECLARED, 3)
    with pytest.raises(BadInputError, match="has 4 rows, more than the limit of 3"):
        decode(request(name=["a"] * 4), DECLARED, 3)


def test_outputs() -> None:
    assert [tensor.name for tensor in wanted_outputs(request(name=["a"]), DECLARED)] == list(
        DECLARED
    )
    assert [
        tensor.name for tensor in wanted_outputs(request("rate", "name", name=["a"]), DECLARED)
    ] == ["rate", "name"]


def test_an_output_on_request_must_be_named() -> None:
    assert [tensor.name for tensor in wanted_outputs(request(name=["a"]), ANSWERED)] == ["name"]
    assert [tensor.name for tensor in wanted_outputs(request("more", name=["a"]), ANSWERED)] == [
        "more"
    ]


def test_metadata_marks_optional_tensors() -> None:
    assert metadata(DECLARED["name"]).model_dump() == {
        "name": "name",
        "datatype": "BYTES",
        "shape": [-1],
    }
    assert metadata(DECLARED["price"]).parameters.model_dump() == {"optional": True}
