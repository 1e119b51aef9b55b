"""The origins of an evaluation: the days on which forecasts are made and later scored."""

import numpy as np

from pokewatch.errors import ValuationError
from pokewatch.valuation.panel import Bools
from pokewatch.valuation.short_history import days_needed, judged_days
from pokewatch.wording import counted

MIN_ORIGINS = 12
MAX_ORIGINS = 16
_WARMUP_DAYS = 10  # training days before the first origin, where the panel has that many


def origin_days(days: int, horizon: int, max_origins: int = MAX_ORIGINS) -> list[int]:
    """Return evenly spaced day indices, the last as late as the horizon allows.

    They are as independent as the history allows: MIN_ORIGINS whose outcomes share no day, and more
    where it is long. The first is after a third of the panel, earlier where that leaves too few;
    ten training days before it are given up last, and one is always kept. Raise ValuationError for
    a panel too short, ValueError for a horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 day, got {horizon}")
    last = days - 1 - horizon
    trained = max(horizon, min(horizon + _WARMUP_DAYS, last - MIN_ORIGINS + 1))
    first = max(trained, min(days // 3, last - horizon * (MIN_ORIGINS - 1)))
    if last < first:
        raise ValuationError(
            f"too few to evaluate a horizon of {counted(horizon, 'day')}: "
            f"{counted(days, 'day')} of prices, at least {days_needed(horizon)} are needed"
        )
    span = last - first
    widest, apart = span // (MIN_ORIGINS - 1), max(horizon, -(-span // (max_origins - 1)))
    step = max(1, min(widest, apart))
    return list(range(last, first - 1, -step))[:max_origins][::-1]


def quoted_origins(quoted: Bools, horizon: int, max_origins: int = MAX_ORIGINS) -> list[int]:
    """Return the `origin_days` of a panel with the `quoted` days [d], on days that can be judged.

    Where there are no prices on one or `horizon` days later, the nearest day that has both is used.
    If all such days are before the first origin, as after a long gap, the origins are those of the
    panel up to the last outcome; [] if there is no such day. Raise as `origin_days` does.
    """
    even, judged = origin_days(len(quoted), horizon, max_origins), judged_days(quoted, horizon)
    if not len(judged):
        return []
    if judged[-1] < even[0]:
        even = origin_days(int(judged[-1]) + horizon + 1, horizon, max_origins)
    judged = judged[judged >= even[0]]
    nearest = np.abs(judged - np.asarray(even)[:, None]).argmin(axis=1)
    found: list[int] = np.unique(judged[nearest]).tolist()
    return found
