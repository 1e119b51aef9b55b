"""The interval of a collection's total on real days that it does not come from."""

from pathlib import Path

import pytest

from tests.bench.portfolios import measured


@pytest.mark.slow
def test_nine_of_ten_totals_are_in_their_interval(shared_data: Path) -> None:
    """Within 88% and 92% over the cards of both halves: the market of a few dozen independent days
    moves the coverage of a half of the cards by one or two percent."""
    halves = [measured(shared_data, half) for half in "AB"]
    for size in halves[0]:
        assert 0.88 <= sum(half[size] for half in halves) / 2 <= 0.92
        assert all(0.86 <= half[size] <= 0.94 for half in halves)
