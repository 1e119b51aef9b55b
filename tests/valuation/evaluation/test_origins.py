import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pokewatch.errors import ValuationError
from pokewatch.valuation.evaluation.origins import origin_days, quoted_origins


@example(days=29, horizon=1)
@given(days=st.integers(3, 900), horizon=st.integers(1, 60))
def test_origins_have_training_days_and_an_outcome(days: int, horizon: int) -> None:
    if days < 2 * horizon + 1:
        with pytest.raises(ValuationError, match="too few"):
            origin_days(days, horizon)
        return
    found = origin_days(days, horizon)
    assert found == sorted(set(found))
    assert found[-1] == days - 1 - horizon
    assert found[0] >= horizon
    assert 1 <= len(found) <= 16
    if days >= 2 * horizon + 12:
        assert len(found) >= 12
    assert len(set(np.diff(found))) <= 1


@pytest.mark.parametrize(
    ("days", "horizon", "first", "step", "origins"),
    [
        (730, 7, 274, 32, 15),
        (126, 7, 41, 7, 12),
        (126, 30, 40, 5, 12),
        (36, 7, 17, 1, 12),
        (22, 7, 7, 1, 8),
    ],
    ids=["long", "just apart", "overlapping", "short", "shortest"],
)
def test_origins_are_as_independent_as_the_history_allows(
    days: int, horizon: int, first: int, step: int, origins: int
) -> None:
    found = origin_days(days, horizon)
    assert (found[0], np.unique(np.diff(found)).tolist(), len(found)) == (first, [step], origins)


def test_origins_are_the_even_ones_where_all_days_are_quoted() -> None:
    for days in (15, 36, 126, 730):
        assert quoted_origins(np.ones(days, dtype=np.bool_), 7) == origin_days(days, 7)


@pytest.mark.parametrize(("before", "gap", "after"), [(20, 40, 1), (40, 90, 3), (20, 15, 5)])
def test_after_a_long_gap_the_origins_are_those_before_it(
    before: int, gap: int, after: int
) -> None:
    quoted = np.repeat([True, False, True], [before, gap, after])
    assert quoted_origins(quoted, 7) == origin_days(before, 7)
