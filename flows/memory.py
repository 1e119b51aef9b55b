"""The memory that a step of the daily flow needs, from the size of its market.

    MiB = HEADROOM * (start + cells * bytes of a cell / 2^20), rounded up to a multiple of 256

Cells are cards times days, of the whole market or, for `features`, of one of the shards. The
constants are peaks of resident memory by `python -m tests.bench.memory`, docs/kubernetes.md has the
measurements. Where the deploy config has no `market`, a step keeps what it asks for itself.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

HEADROOM = 1.25
_MIB = 1 << 20
_ROUND = 256


class Need(NamedTuple):
    """The peak memory of a step: MiB before it has any data, bytes of a cell, and of a card."""

    start: int
    cell: float
    card: float = 0.0


NEEDS: Mapping[str, Need] = {}


def step_memory(step: str, market: Mapping[str, Any], least: int) -> int:
    """Return the MiB for a step on a market of `cards` and `days` in `shards`, at least 1.

    `least` is what the step requests itself, and is returned for one that has no need here.
    """
    need = NEEDS.get(step)
    if need is None or not market:
        return least
    cards, days, shards = (int(market.get(name, 1)) for name in ("cards", "days", "shards"))
    cells = cards * days / (shards if step == "features" else 1)
    mib = HEADROOM * (need.start + (cells * need.cell + cards * need.card) / _MIB)
    return math.ceil(mib / _ROUND) * _ROUND
