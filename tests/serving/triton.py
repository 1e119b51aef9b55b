"""tritonclient in a subprocess, because its gRPC messages have the names of MLServer's.

python -m tests.serving.triton '{"transport": "grpc", "address": ..., "model": ...,
                                 "inputs": {...}, "shape": [...], "outputs": [...]}'
"""

import importlib
import json
import subprocess
import sys
from typing import Any

import numpy as np

from tests.conftest import ROOT
from tests.serving.server import Server


def ask(
    server: Server,
    transport: str,
    model: str,
    shape: list[int],
    outputs: list[str],
    **inputs: list[Any],
) -> dict[str, list[Any]]:
    """Return the outputs as lists, with text decoded and NaN as None."""
    address = server.grpc if transport == "grpc" else f"127.0.0.1:{server.http_port}"
    request = {
        "transport": transport,
        "address": address,
        "model": model,
        "inputs": inputs,
        "shape": shape,
        "outputs": outputs,
    }
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(request)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[Any]] = json.loads(done.stdout)
    return answer


def _infer(request: dict[str, Any]) -> dict[str, list[Any]]:
    module = importlib.import_module(f"tritonclient.{request['transport']}")
    options = {"binary_data": False} if request["transport"] == "http" else {}
    inputs = []
    for name, values in request["inputs"].items():
        text = isinstance(values[0], str)
        inputs.append(module.InferInput(name, request["shape"], "BYTES" if text else "FP64"))
        array = (
            np.array([value.encode() for value in values], dtype=object)
            if text
            else np.array(values, dtype=np.float64)
        )
        inputs[-1].set_data_from_numpy(array.reshape(request["shape"]), **options)
    with module.InferenceServerClient(request["address"]) as client:
        assert client.is_server_ready()
        assert client.is_model_ready(request["model"])
        wanted = [module.InferRequestedOutput(name, **options) for name in request["outputs"]]
        answer = client.infer(request["model"], inputs, outputs=wanted, request_id="r1")
    return {
        name: [_plain(value) for value in answer.as_numpy(name).tolist()]
        for name in request["outputs"]
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return None if value != value else value


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_infer(json.loads(sys.argv[1]))))
