from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.valuation.intervals import OK, THIN_HISTORY
from pokewatch.valuation.models import create
from pokewatch.valuation.models.local_level import LocalLevel
from pokewatch.valuation.panel import Floats
from pokewatch.valuation.training_set import TrainingSet, build_training_set, training_days
from tests.valuation.panels import market_like, panel_of

PANEL = panel_of(market_like(90, 60))


class Recorded(LocalLevel):
    """A local level that records the last outcome of its training and the days it is tested on."""

    trained_until_day: ClassVar[list[int]] = []
    held_out: ClassVar[list[tuple[int, int]]] = []

    def _fit_forecast(self, training_set: TrainingSet) -> dict[str, Any]:
        self.known = int(training_set.day.max()) + self.horizon
        self.trained_until_day.append(self.known)
        return super()._fit_forecast(training_set)

    def _held_out(self, training_set: TrainingSet) -> Floats:
        self.held_out.append((self.known, int(training_set.day.min())))
        return super()._held_out(training_set)


@pytest.mark.parametrize(("horizon", "by_date"), [(7, True), (40, False)])
def test_the_interval_is_calibrated_on_days_after_those_trained_on(
    horizon: int, by_date: bool
) -> None:
    """With a horizon of 40 days, no outcome is known by the first day of the later half."""
    Recorded.trained_until_day.clear()
    Recorded.held_out.clear()
    days = training_days(PANEL.dates, horizon)
    rows = build_training_set(PANEL, horizon, days)
    model = Recorded(horizon).fit_training_set(rows, date(2025, 3, 1))
    ((known, first_tested),) = Recorded.held_out
    assert (known <= first_tested) == by_date
    assert len(Recorded.trained_until_day) == (2 if by_date else 1)
    assert model.known == days[-1] + horizon, "the forecast itself is trained on all rows"


class Grown(Recorded):
    """A model with a second part where it is trained on more than 40 days."""

    def _fit_forecast(self, training_set: TrainingSet) -> dict[str, Any]:
        parts = {"second": 0.0} if len(np.unique(training_set.day)) > 40 else {}
        return super()._fit_forecast(training_set) | parts


def test_errors_of_a_model_with_fewer_parts_calibrate_none() -> None:
    Recorded.held_out.clear()
    days = training_days(PANEL.dates, 7)
    Grown(7).fit_training_set(build_training_set(PANEL, 7, days), date(2025, 3, 1))
    ((known, _),) = Recorded.held_out
    assert known == days[-1] + 7, "the model itself, with cards held out"


def test_values_have_the_distribution_of_their_interval() -> None:
    values = LocalLevel(7).fit(PANEL).value(PANEL, 89)
    one = values.distribution
    quoted = np.isfinite(PANEL.market[89])
    np.testing.assert_allclose(one.last_price[quoted], PANEL.market[89, quoted], rtol=1e-12)
    logs: NDArray[np.float64] = (
        np.log(values.fair)[:, None]
        + values.spread.scale[:, None] * values.spread.shapes[values.spread.shape, 1:]
    )
    logs[values.spread.shape < 0] = np.nan
    np.testing.assert_allclose(one.log_quantiles, logs, rtol=1e-12)
    known = values.status != THIN_HISTORY
    assert known.sum() > 50
    assert (values.lower[known] < values.fair[known]).all()
    assert (values.fair[known] < values.upper[known]).all()


@pytest.mark.parametrize(
    ("quotes", "status"),
    [
        (range(83, 90), THIN_HISTORY),
        (range(82, 90), OK),
        ((75, 89), THIN_HISTORY),
        ((75, 82, 89), OK),
    ],
    ids=["six days after the first", "seven days", "two quotes", "three quotes"],
)
def test_a_card_new_to_the_market_has_no_interval(quotes: Sequence[int], status: int) -> None:
    prices = market_like(90, 60)
    prices[:, 0] = np.nan
    prices[quotes, 0] = 10.0 + np.arange(len(quotes)) / 10
    values = LocalLevel(7).fit(PANEL).value(panel_of(prices), 89)
    assert values.status[0] == status
    assert values.fair[0] > 9
    known = status == OK
    assert np.isfinite([values.lower[0], values.upper[0]]).tolist() == [known, known]
    assert np.isfinite(values.distribution.log_quantiles[0]).all() == known
    assert np.isfinite(values.upper[1:]).sum() > 50


def test_a_card_new_to_the_market_calibrates_no_interval() -> None:
    rows = build_training_set(PANEL, 7, training_days(PANEL.dates, 7))
    odd = rows.card % 2 == 1
    rows.new[:] = odd
    found = create("last", 7).fit_training_set(rows, date(2025, 3, 1))
    rows.target[odd] += 1.0
    again = create("last", 7).fit_training_set(rows, date(2025, 3, 1))
    assert again.parameters()["intervals"] == found.parameters()["intervals"]
    rows.new[:] = False
    wider = create("last", 7).fit_training_set(rows, date(2025, 3, 1))
    assert wider.parameters()["intervals"] != found.parameters()["intervals"]
