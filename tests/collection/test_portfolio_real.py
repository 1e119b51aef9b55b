"""The interval of a collection's total on real days that it does not come from."""

from pathlib import Path

import pytest

from tests.bench.portfolios import measured


@pytest.mark.slow
def test_nine_of_ten_totals_are_in_their_interval(shared_data: Path) -> None:
    """Over the cards of half A, which the method was chosen on, and over those of half B."""
    for half in "AB":
        for share in measured(shared_data, half).values():
            assert 0.88 <= share <= 0.92
