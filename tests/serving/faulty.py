"""A runtime that fails for some model versions, but not for the card a deploy verifies."""

import time
from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
from mlserver.types import Parameters

from pokewatch.contract import TensorSpec
from pokewatch.serving.fair_price import FairPriceRuntime
from pokewatch.serving.loaded_books import LOADED_BOOKS
from pokewatch.serving.tensors import Column

WRONG, SLOW, FAILING = "2", "3", "4"
_REQUESTS = count()


class FaultyRuntime(FairPriceRuntime):
    def answer(
        self, columns: Mapping[str, Column], wanted: Sequence[TensorSpec]
    ) -> tuple[Mapping[str, Column], Parameters]:
        values, parameters = super().answer(columns, wanted)
        if len(columns["card_id"]) == 1:
            return values, parameters
        version = LOADED_BOOKS.get(self._book_key).model_version
        if version == WRONG:
            values = {**values, "fair_price": np.asarray(values["fair_price"]) * 1.5}
        elif version == SLOW:
            time.sleep(0.8)  # the latency under test
        elif version == FAILING and next(_REQUESTS) % 3 == 0:
            raise RuntimeError("every third request fails")
        return values, parameters
