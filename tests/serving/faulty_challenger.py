"""A challenger that is slow or fails, by its model version."""

import asyncio

from mlserver.types import InferenceRequest, InferenceResponse

from pokewatch.serving.fair_price import FairPriceRuntime
from pokewatch.serving.loaded_books import LOADED_BOOKS

SLOW, FAILING = "8-slow", "8-failing"


class FaultyChallenger(FairPriceRuntime):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        version = LOADED_BOOKS.get(self._book_key).model_version
        if version == SLOW:
            await asyncio.sleep(0.3)  # the latency under test
        elif version == FAILING:
            raise RuntimeError("every request fails")
        return await super().predict(payload)
