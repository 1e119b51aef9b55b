"""The memory that a step of the daily flow needs, from the size of its market.

    MiB = 1.25 * (start + sampled * min(cards, 15,000) + cells * bytes / 2^20)

rounded up to a multiple of 256. `cells` are cards times days of the whole market, for `features` of
one of its shards. A step that holds the panel needs 52 bytes of a cell: six prices of 8 bytes, as
many as a market can have, and four flags. Prices that are whole cents take half of that. Models
are fitted on a sample of at most 15,000 cards of a day. `start` and `sampled` are from peaks of
resident memory that `python -m tests.bench.memory CARDS DAYS SHARDS` measures, with half as much
again of `sampled` for the models that are not measured there.

Where the deploy config has no `market`, steps get what they ask for themselves.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

_HEADROOM = 1.25
_MIB = 1 << 20
_ROUND = 256
_SAMPLED_CARDS = 15_000
_PANEL = 52  # bytes of a cell


class Need(NamedTuple):
    """The peak memory of a step: MiB without data, MiB of a sampled card, bytes of a cell."""

    start: int
    sampled: float
    cell: int


NEEDS: Mapping[str, Need] = {
    "features": Need(200, 0.0, 2 * _PANEL),  # the panel, and a table of it to write
    "train": Need(200, 0.09, _PANEL),
    "evaluate": Need(240, 0.11, _PANEL),
    "register": Need(280, 0.12, _PANEL),
    "measure": Need(280, 0.0, 2 * _PANEL),  # of the monitor, which makes the panel itself
}


def step_memory(step: str, market: Mapping[str, int], least: int) -> int:
    """Return the MiB for a step on a market of so many `cards`, `days` and, by default 1, `shards`.

    `least` is what the step asks for itself, and is returned for a step that is not in NEEDS, and
    without a market.
    """
    need = NEEDS.get(step)
    if need is None or not market:
        return least
    cards, days = int(market["cards"]), int(market["days"])
    cells = cards * days / (int(market.get("shards", 1)) if step == "features" else 1)
    sampled = need.sampled * min(cards, _SAMPLED_CARDS)
    mib = _HEADROOM * (need.start + sampled + cells * need.cell / _MIB)
    return math.ceil(mib / _ROUND) * _ROUND
