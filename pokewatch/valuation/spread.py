"""The spread of prices at the horizon around the forecasts of many cards."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import Distribution
from pokewatch.decision.distribution import DEFAULT_CALIBRATION_SIZE, Z_95, Z_LEVELS
from pokewatch.valuation.panel import Bools, Floats

_PRIOR_ERROR = 0.5  # log error assumed before calibration
PRIOR_SHAPE = (1.0 / (DEFAULT_CALIBRATION_SIZE + 1), *(_PRIOR_ERROR / Z_95 * Z_LEVELS).tolist())


@dataclass(frozen=True, slots=True)
class Spread:
    """Predictive distributions around the forecasts of m cards.

    `below` (< 0) and `above` (> 0) are the log distances of the interval's edges. With probability
    `unchanged` the quote stays; otherwise its log distance from the forecast is `scale` times a
    draw of the row `shape` of `shapes` [S, 1 + K]: its floor and its quantiles at LEVELS. A `shape`
    of -1 stands for none.
    """

    below: Floats
    above: Floats
    scale: Floats
    unchanged: Floats
    shape: NDArray[np.int64]
    shapes: Floats

    @classmethod
    def of_interval(cls, distance: Floats) -> "Spread":
        """Return the spread of m cards whose interval alone is known: `distance` [m] either way.

        NaN stands for no interval.
        """
        nothing = np.zeros(len(distance))
        shape = np.full(len(distance), -1, dtype=np.int64)
        return cls(-distance, distance, nothing, nothing, shape, np.array([PRIOR_SHAPE]))

    def without(self, rows: Bools) -> "Spread":
        """Return the spread with no shape for the cards in `rows` [m].

        Of them, only the interval is known.
        """
        return replace(self, shape=np.where(rows, -1, self.shape))

    def unknown(self, rows: Bools) -> "Spread":
        """Return the spread with no interval, and no shape, for the cards in `rows` [m]."""
        below, above = (np.where(rows, np.nan, edge) for edge in (self.below, self.above))
        return replace(self.without(rows), below=below, above=above)

    def distribution(self, last: Floats, centre: Floats) -> Distribution:
        """Return the distributions of prices whose log is `last` today and forecast as `centre`.

        They are NaN for cards without a shape.
        """
        shapes = np.where(self.shape[:, None] < 0, np.nan, self.shapes[self.shape])
        return Distribution(
            last_price=np.exp(last),
            unchanged=self.unchanged,
            floor=shapes[:, 0],
            log_quantiles=centre[:, None] + self.scale[:, None] * shapes[:, 1:],
        )
