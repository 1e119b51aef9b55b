import tracemalloc

import numpy as np
import pytest

from pokewatch.decision.distribution import LEVELS
from pokewatch.valuation.common_errors import CardOutcomes, CommonErrors, common_errors
from pokewatch.valuation.evaluation.runner import evaluate
from tests.valuation.panels import panel_of


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


def test_units_are_numbered_from_zero_by_card_and_period() -> None:
    card, day = np.array([9, 4, 4, 9, 9]), np.array([3, 8, 13, 14, 20])
    assert CardOutcomes(card, day, 7).unit.tolist() == [1, 0, 0, 2, 2]


def test_units_of_a_long_history_take_no_memory_for_the_periods_without_outcomes() -> None:
    card, day = np.divmod(np.arange(2_000 * 96), 96)
    tracemalloc.start()
    try:
        unit = CardOutcomes(card, day * 38, 1).unit
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert unit.tolist() == list(range(len(card)))
    assert peak < 8 * unit.nbytes


def test_errors_without_a_common_part_are_left_as_they_are() -> None:
    assert [CommonErrors(0.0, 4.0, 0.0).widening(level) for level in LEVELS] == [1.0] * len(LEVELS)
    assert CommonErrors(0.0, 4.0, 0.0).independent(2000) == 2000


@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_rare_outcomes_of_a_day_are_less_alike_than_its_errors(share: float) -> None:
    rng = np.random.default_rng(1)
    common, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 300))
    beyond = np.sqrt(share) * common + np.sqrt(1 - share) * own < -1.645  # 4000 days of 300 cards
    independent = 0.05 * 0.95 / beyond.mean(axis=1).var()
    assert CommonErrors(share, 1.0, 0.0).independent(300) == pytest.approx(independent, rel=0.2)


@pytest.mark.parametrize("level", LEVELS)
def test_both_tails_are_widened_alike(level: float) -> None:
    """One less 0.95 is more than 0.05 in binary."""
    common = CommonErrors(0.3, 2.6, 0.0)
    opposite = LEVELS[-1 - LEVELS.index(level)]
    assert common.widening(level) == common.widening(opposite)


def test_new_periods_are_covered_although_few_were_seen() -> None:
    inside = {tail: coverage_of_new_periods(tail) for tail in (0.05, 0.2)}
    assert inside[0.05][1] == pytest.approx(0.9, abs=0.03)
    assert inside[0.05][0] < 0.85
    assert inside[0.2][1] == pytest.approx(0.6, abs=0.05)


def coverage_of_new_periods(tail: float) -> tuple[float, float]:
    """Return the coverage of `1 - 2 * tail` intervals, as they are and widened.

    Of 300 calibrations on three periods, each interval is checked on another period.
    """
    plain: list[float] = []
    widened: list[float] = []
    for seed in range(300):
        errors, outcomes = panel_errors(4, 0.5, seed)
        seen = outcomes.day < 3
        common = common_errors(errors[seen], outcomes.select(seen))
        for found, factor in ((plain, 1.0), (widened, common.widening(tail))):
            known = (errors[seen] - (common.mean if found is widened else 0.0)) * factor
            low, high = np.quantile(known, (tail, 1 - tail))
            found.append(((errors[~seen] >= low) & (errors[~seen] <= high)).mean())
    return float(np.mean(plain)), float(np.mean(widened))


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
    assert np.isfinite(found.widening(0.05))
    assert 0 <= found.share <= 1


@pytest.mark.slow
def test_intervals_hold_prices_of_cards_that_share_half_of_their_moves() -> None:
    """In single markets fewer prices are inside: a period is one observation of what is shared."""
    covered = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        moves = rng.normal(0, 0.03 / np.sqrt(2), (126, 1)) + rng.normal(
            0, 0.03 / np.sqrt(2), (126, 300)
        )
        prices = np.exp(3.0 + moves.cumsum(axis=0)).round(2)
        (found,) = evaluate(panel_of(prices), ["last"], 30)
        covered.append(found.scores["coverage_90"])
    assert 0.86 <= np.mean(covered) <= 0.94
    assert min(covered) > 0.65
