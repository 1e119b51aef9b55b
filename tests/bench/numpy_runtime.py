"""Minimal MLServer runtimes, which the runtimes of PokeWatch are compared with."""

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

SIGNALS = np.array(["HOLD", "BUY", "SELL"])


class BareRuntime(MLModel):  # type: ignore[misc]  # MLServer ships no types
    """Takes two numbers per row, returns their ratio and a signal, and validates nothing."""

    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = {
            tensor.name: np.asarray(tensor.data.root, dtype=np.float64) for tensor in payload.inputs
        }
        deviation = given["market_price"] / given["fair_price"] - 1
        signals = SIGNALS[np.select([deviation <= -0.1, deviation >= 0.15], [1, 2], 0)]
        shape = [len(deviation)]
        outputs = [
            ResponseOutput(
                name="signal",
                shape=shape,
                datatype="BYTES",
                data=[signal.encode() for signal in signals.tolist()],
            ),
            ResponseOutput(
                name="deviation_pct", shape=shape, datatype="FP64", data=deviation.tolist()
            ),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)


class EchoRuntime(MLModel):  # type: ignore[misc]  # MLServer ships no types
    """Returns outputs of the size of a `fair-price` response without computing anything."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = payload.inputs[0].shape[0]
        text, numbers = payload.inputs[0].data, [1.5] * rows
        outputs = [
            ResponseOutput(name=f"text_{i}", shape=[rows], datatype="BYTES", data=text)
            for i in range(3)
        ]
        outputs += [
            ResponseOutput(name=f"number_{i}", shape=[rows], datatype="FP64", data=numbers)
            for i in range(4)
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
