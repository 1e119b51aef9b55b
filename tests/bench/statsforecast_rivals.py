"""AutoETS and SES of statsforecast, run by `tests.bench.valuation` in an isolated environment.

python statsforecast_rivals.py SAMPLE.npz

The sample has `log_price` [days, cards], `origins` [k] and `horizon`. The output is JSON: for each
model, the seconds per forecast and the sum of its absolute errors.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from statsforecast.models import AutoETS, SimpleExponentialSmoothingOptimized  # type: ignore[import-not-found, unused-ignore]

RIVALS = {"AutoETS": lambda: AutoETS(season_length=1), "SES": SimpleExponentialSmoothingOptimized}


def measured(make: Any, log_price: Any, origins: list[int], horizon: int) -> dict[str, float]:
    make().forecast(log_price[: origins[0] + 1, 0], h=horizon)  # compiles
    began, error = time.perf_counter(), 0.0
    for origin in origins:
        for card in range(log_price.shape[1]):
            forecast = make().forecast(
                np.ascontiguousarray(log_price[: origin + 1, card]), h=horizon
            )["mean"][-1]
            error += abs(forecast - log_price[origin + horizon, card])
    seconds = time.perf_counter() - began
    return {"seconds": seconds / (len(origins) * log_price.shape[1]), "error": float(error)}


def main() -> None:
    sample = np.load(sys.argv[1])
    arguments = sample["log_price"], sample["origins"].tolist(), int(sample["horizon"])
    print(json.dumps({name: measured(make, *arguments) for name, make in RIVALS.items()}))


if __name__ == "__main__":
    main()
