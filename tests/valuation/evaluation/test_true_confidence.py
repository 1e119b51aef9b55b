"""Reliability of the true probabilities of a simulated market, which its process gives."""

from copy import deepcopy
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.decision import HOLD, Thresholds
from pokewatch.market.sources.simulated_catalog import EPOCH, Traits, make_cards
from pokewatch.market.sources.simulated_process import MarketPath
from pokewatch.valuation.evaluation.reliability import outcomes_of, reliability_of
from pokewatch.valuation.evaluation.two_way import Clusters

CARDS, HORIZON, ORIGINS, FIRST = 400, 7, 12, 600
PATHS = 200  # from which a probability is estimated
LEAST = 30  # signals in a tenth


class _Market:
    """A simulated market whose days after an origin can be drawn again."""

    def __init__(self, seed: int) -> None:
        self.traits: Traits = make_cards(CARDS, seed)[1]
        self.path = MarketPath(self.traits, seed)

    def quotes(self, days: int, seed: int | None = None) -> NDArray[np.float64]:
        """Return the prices [n] in `days` days, NaN for none; a `seed` draws other days."""
        path = deepcopy(self.path, {id(self.traits): self.traits})
        if seed is not None:
            path._seed = seed
        for _ in range(days):
            path.advance()
        found, prices = path.quotes(), np.full(CARDS, np.nan)
        prices[found.card] = found.market
        return prices


@pytest.mark.slow
def test_the_interval_of_the_observed_share_holds_the_true_probability() -> None:
    held = [each for seed in range(151, 155) for each in tenths_held(seed)]
    assert len(held) >= 20
    assert np.mean(held) >= 0.9


def tenths_held(seed: int) -> list[bool]:
    """Return for each tenth of the true probabilities whether its `observed_ci` holds them.

    The signal is HOLD for all cards, at origins a horizon apart.
    """
    market, thresholds = _Market(seed), Thresholds()
    origins = [FIRST + number * HORIZON for number in range(ORIGINS)]
    chances, outcomes, origin_of, card_of = [], [], [], []
    for number, origin in enumerate(origins):
        while market.path.day < origin:
            market.path.advance()
        last, truth = market.quotes(0), market.quotes(HORIZON)
        rows = np.flatnonzero(np.isfinite(last) & np.isfinite(truth))
        drawn = np.zeros(len(rows))
        known = np.zeros(len(rows))
        for path in range(PATHS):
            later = market.quotes(HORIZON, seed=10_000 + path)[rows]
            quoted = np.isfinite(later)
            drawn += outcomes_of(last[rows], later, thresholds)[HOLD] & quoted
            known += quoted
        chances.append(drawn / known)
        outcomes.append(outcomes_of(last[rows], truth[rows], thresholds)[HOLD])
        origin_of.append(np.full(len(rows), number))
        card_of.append(rows)
    days = [EPOCH + timedelta(days=origin) for origin in origins]
    clusters = Clusters(np.concatenate(origin_of), np.concatenate(card_of), days, HORIZON)
    chance = np.concatenate(chances)
    found = reliability_of(
        np.full(len(chance), HOLD), chance, {HOLD: np.concatenate(outcomes)}, clusters
    )
    return [
        each["observed_ci"][0] <= each["confidence"] <= each["observed_ci"][1]
        for each in found
        if each["n"] >= LEAST
    ]
