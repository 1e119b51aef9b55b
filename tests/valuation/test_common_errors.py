import numpy as np
import pytest

from pokewatch.valuation.common_errors import CardOutcomes, CommonErrors, common_errors


def panel_errors(days: int, common: float, seed: int = 0) -> tuple[np.ndarray, CardOutcomes]:
    """Return errors of variance 1 of 500 cards on each of `days` days, and their outcomes."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, np.sqrt(common), days)[:, None]
    errors = shared + rng.normal(0, np.sqrt(1 - common), (days, 500))
    day, card = np.divmod(np.arange(errors.size), 500)
    return errors.ravel(), CardOutcomes(card, day, 1)


@pytest.mark.parametrize("common", [0.0, 0.05, 0.5])
def test_the_share_in_common_is_found(common: float) -> None:
    found = common_errors(*panel_errors(400, common))
    assert found.share == pytest.approx(common, abs=0.07)
    assert found.periods == 400


def test_overlapping_outcomes_are_few_periods() -> None:
    errors, outcomes = panel_errors(15, 0.1)
    assert common_errors(errors, CardOutcomes(outcomes.card, outcomes.day, 7)).periods == 3.0
    assert len(np.unique(CardOutcomes(outcomes.card, outcomes.day, 7).unit)) == 3 * 500


def test_errors_without_a_common_part_are_left_as_they_are() -> None:
    errors, _ = panel_errors(4, 0.0)
    np.testing.assert_array_equal(CommonErrors(0.0, 4.0, 0.0).widened(errors), errors)
    assert CommonErrors(0.0, 4.0, 0.0).independent(2000) == 2000


def test_new_periods_are_covered_although_few_were_seen() -> None:
    """Of 200 calibrations on three periods, each interval is checked on another period."""
    inside = {True: [], False: []}  # type: dict[bool, list[float]]
    for seed in range(200):
        errors, outcomes = panel_errors(4, 0.5, seed)
        seen = outcomes.day < 3
        for widen in inside:
            known = errors[seen]
            if widen:
                known = common_errors(known, outcomes.select(seen)).widened(known)
            low, high = np.quantile(known, (0.05, 0.95))
            inside[widen].append(((errors[~seen] >= low) & (errors[~seen] <= high)).mean())
    assert np.mean(inside[True]) == pytest.approx(0.9, abs=0.03)
    assert np.mean(inside[False]) < 0.85


def test_a_mean_seen_in_many_periods_is_kept_and_one_of_few_is_not() -> None:
    errors, outcomes = panel_errors(100, 0.02)
    kept = common_errors(errors + 0.5, outcomes)
    assert kept.mean == pytest.approx(0.0, abs=0.02)
    errors, outcomes = panel_errors(2, 0.9, seed=3)
    removed = common_errors(errors, outcomes)
    assert abs((errors - removed.mean).mean()) < 0.6 * abs(errors.mean())


@pytest.mark.parametrize("errors", [np.zeros(10), np.full(10, 0.3)], ids=["zero", "equal"])
def test_errors_without_variance(errors: np.ndarray) -> None:
    found = common_errors(errors, CardOutcomes(np.arange(10), np.arange(10), 1))
    assert np.isfinite(found.widened(errors)).all()
    assert 0 <= found.share <= 1
