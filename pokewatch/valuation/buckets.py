"""The buckets that processed cards are put into."""

import math
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FEWEST = 8
_CARDS = 2_000  # the most that a bucket has on average


def bucket_count(cards: int) -> int:
    """Return the number of buckets of so many cards: a power of two, so that it seldom changes."""
    wanted = max(_FEWEST, math.ceil(cards / _CARDS))
    return 1 << (wanted - 1).bit_length()


def buckets_of(cards: Sequence[str]) -> NDArray[np.int64]:
    """Return the bucket of each card id."""
    buckets = bucket_count(len(cards))
    return np.array([zlib.crc32(card.encode()) % buckets for card in cards], dtype=np.int64)
