"""The error of the models on real prices, and what is said about it on other cards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.valuation.evaluation.comparison import CardErrors
from pokewatch.valuation.evaluation.origins import MIN_ORIGINS
from pokewatch.valuation.evaluation.runner import Evaluation, evaluate, evaluate_file
from pokewatch.valuation.evaluation.two_way import Clusters
from pokewatch.valuation.panel_file import read_panel
from tests.valuation.evaluation.test_two_way import difference_of_halves

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("name", "horizon", "min_price", "most"),
    [
        ("tcgcsv_daily.parquet", 7, 1.0, 0.967),
        ("cardmarket_daily.parquet", 7, None, 0.962),
        ("cardmarket_daily.parquet", 30, None, 0.875),
    ],
    ids=["tcgplayer-7", "cardmarket-7", "cardmarket-30"],
)
def test_boosted_beats_the_last_price(
    shared_data: Path, name: str, horizon: int, min_price: float | None, most: float
) -> None:
    (found,) = evaluate_file(shared_data / name, horizon, "boosted", min_price)
    assert len(found["origins"]) >= MIN_ORIGINS
    assert round(found["rmae_last"], 3) <= most  # which has three digits
    assert found["rmae_last_ci"][1] < 1
    assert 0.88 <= found["coverage_90"] <= 0.93
    assert 0.86 <= found["fresh"]["coverage_90"] <= 0.94
    for group in found["groups"]:
        if group["n"] >= 500:
            low, high = group["coverage_90_ci"]
            assert low <= 0.94, group
            assert high >= 0.86, group


PANELS = pytest.mark.parametrize(
    ("name", "horizon", "min_price"),
    [
        ("tcgcsv_daily.parquet", 7, 1.0),
        ("cardmarket_daily.parquet", 7, None),
        ("cardmarket_daily.parquet", 30, None),
    ],
    ids=["tcgplayer-7", "cardmarket-7", "cardmarket-30"],
)
SPLITS = 300


def two_models(folder: Path, name: str, horizon: int, min_price: float | None) -> list[Evaluation]:
    return evaluate(read_panel(folder / name), ["last", "median7"], horizon, min_price)


@PANELS
def test_the_interval_holds_the_difference_of_random_halves(
    shared_data: Path, name: str, horizon: int, min_price: float | None
) -> None:
    _, found = two_models(shared_data, name, horizon, min_price)
    assert 0.93 <= share_held(found) <= 0.98


@PANELS
def test_equal_models_are_rarely_told_apart(
    shared_data: Path, name: str, horizon: int, min_price: float | None
) -> None:
    one, other = two_models(shared_data, name, horizon, min_price)
    assert share_told_apart(one, other) <= 0.07


def share_held(found: Evaluation) -> float:
    """Return in how many of SPLITS halves of the cards the interval holds the difference."""
    errors, rng, held = found.errors, np.random.default_rng(0), 0
    clusters = Clusters(errors.origin, errors.card, found.origins, found.horizon)
    error, last = errors.error.astype(np.float64), errors.error_last.astype(np.float64)
    for _ in range(SPLITS):
        half = (rng.random(int(errors.card.max()) + 1) < 0.5)[errors.card]
        difference = difference_of_halves(half, error, last, clusters)
        held += difference.low <= 0 <= difference.high
    return held / SPLITS


def share_told_apart(one: Evaluation, other: Evaluation) -> float:
    """Return how many of SPLITS pairs are distinguished: two models swapped at random per card."""
    rng, told_apart = np.random.default_rng(0), 0
    for _ in range(SPLITS):
        swap = rng.random(int(one.errors.card.max()) + 1) < 0.5
        pair = swapped(one.errors, other.errors, swap), swapped(other.errors, one.errors, swap)
        found = pair[0].excess(pair[1], one.origins, one.horizon)
        assert found is not None
        told_apart += not found.low <= 0 <= found.high
    return told_apart / SPLITS


def swapped(errors: CardErrors, other: CardErrors, swap: np.ndarray) -> CardErrors:
    return replace(errors, error=np.where(swap[errors.card], other.error, errors.error))
