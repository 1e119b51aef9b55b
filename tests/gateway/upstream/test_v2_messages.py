import json
from typing import Any

import pytest

from pokewatch.gateway.upstream import v2_messages


def reply(data: Any, name: str = "fair_price", **parameters: str) -> bytes:
    outputs = [{"name": name, "shape": [2], "datatype": "FP64", "data": data}]
    return json.dumps({"model_name": "m", "outputs": outputs, "parameters": parameters}).encode()


def test_columns_of_a_reply() -> None:
    columns = {"fair_price": [1.5, None]}
    without = reply([1.5, None], run_id="r")
    assert v2_messages.decode_columns(without, ["fair_price"], 2, "1") == (columns, "")
    euros = reply([1.5, None], currency="EUR")
    assert v2_messages.decode_columns(euros, ["fair_price"], 2, "1") == (columns, "EUR")


def test_versions_of_a_reply() -> None:
    body = reply([1.5, None], model_version="3", data_version="d", more="1")
    assert v2_messages.decode_versioned(body, ["fair_price"], 2, "1") == (
        {"fair_price": [1.5, None]},
        v2_messages.Versions("3", "d"),
    )
    with pytest.raises(ValueError, match="model_version"):
        v2_messages.decode_versioned(
            reply([1.5], model_version="", data_version="d"), ["fair_price"], 1, "1"
        )
    with pytest.raises(ValueError, match="data_version"):
        v2_messages.decode_versioned(reply([1.5, None], model_version="3"), ["fair_price"], 2, "1")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (reply([[1.5], [2.5]]), "not a V2 reply"),
        (reply([True, 1.5]), "not a V2 reply"),
        (reply(None), "not a V2 reply"),
        (b"\xff", "not a V2 reply"),
        (b"{}", "not a V2 reply"),
        (reply([1.5]), "has 1 values for 2 rows"),
        (reply([1.5, 2.5], name="other"), "has 0 values for 2 rows"),
        (reply([1.5, 2.5])[:-1] + b',"id":"2"}', "reply is to another request"),
        (
            reply([1.5, 2.5]).replace(
                b'"outputs": [', b'"outputs": [{"name": "fair_price", "data": []}, '
            ),
            "an output is repeated",
        ),
    ],
)
def test_malformed_replies(body: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        v2_messages.decode_columns(body, ["fair_price"], 2, "1")
