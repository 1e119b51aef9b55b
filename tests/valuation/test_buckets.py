import numpy as np
import pytest

from pokewatch.valuation.buckets import bucket_count, buckets_of


@pytest.mark.parametrize(
    ("cards", "buckets"),
    [(0, 8), (1, 8), (16_000, 8), (16_001, 16), (43_000, 32), (200_000, 128)],
)
def test_larger_markets_have_more_buckets(cards: int, buckets: int) -> None:
    assert bucket_count(cards) == buckets


def test_buckets_are_of_about_equal_size_and_depend_on_the_id_alone() -> None:
    cards = [f"tcgplayer-{number}-normal" for number in range(40_000)]
    found = buckets_of(cards)
    sizes = np.bincount(found, minlength=bucket_count(len(cards)))
    assert sizes.sum() == len(cards)
    assert sizes.max() < 1.2 * sizes.mean()
    assert buckets_of(cards[::-1]).tolist() == found.tolist()[::-1]
