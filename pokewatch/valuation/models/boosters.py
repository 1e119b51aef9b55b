"""Training of boosters (LightGBM) that share the cards: each is trained on half of them.

The threads of one booster wait for each other at every leaf. On a machine that is busy with other
work, that took ten times the CPU time of a single thread. So each booster has one thread, and
several are trained at a time.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.cpu_count import cpu_count
from pokewatch.valuation.panel import Bools, Floats

# The features [m, F], the targets [m] and their weights [m]
TrainingRows = tuple[NDArray[np.float32], Floats, Floats]

_COMMON: Mapping[str, Any] = {
    "objective": "regression_l1",
    "min_data_in_leaf": 100,
    "bagging_freq": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "num_threads": 1,
}


def train_boosters(
    rows_of: Callable[[int], TrainingRows], count: int, parameters: Mapping[str, Any]
) -> list[str]:
    """Return `count` boosters as text, the same whatever the number of CPUs.

    `rows_of` returns what the booster of a number is trained on.
    """
    import lightgbm

    options = {**_COMMON, **parameters}

    def train(number: int) -> str:
        values, target, weight = rows_of(number)
        rows = lightgbm.Dataset(values, label=target, weight=weight, params=options)
        text: str = lightgbm.train(options, rows).model_to_string()
        # The text after the trees repeats the parameters.
        return text[: text.index("end of trees") + len("end of trees")] + "\n"

    with ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(train, range(count)))


def held_out_rows(key: NDArray[np.uint32], number: int, count: int) -> Bools:
    """Return which rows [m] booster `number` of `count` is not trained on: half of the cards.

    `key` [m] is a hash of the card.
    """
    return np.asarray((key + np.uint32(number)) % np.uint32(count) < count // 2)
