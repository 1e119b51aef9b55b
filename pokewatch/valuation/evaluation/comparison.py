"""Comparison of the errors of two models on the same card-days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.evaluation.scores import Forecasts
from pokewatch.valuation.evaluation.two_way import Clusters, Estimate
from pokewatch.valuation.panel import Bools, Floats


@dataclass(frozen=True, slots=True, eq=False)
class CardErrors:
    """Each forecast's absolute error [m], and that of the last price in its place.

    Errors are on the log price; NaN where the card was not valued. `origin` and `card` are those of
    `Forecasts`. Single precision keeps the 16 origins of 33,000 cards below 10 MB.
    """

    origin: NDArray[np.int16]
    card: NDArray[np.int32]
    error: NDArray[np.float32]
    error_last: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Forecasts, terms: Mapping[str, Floats]) -> "CardErrors":
        """Return the errors of forecasts, from their `terms`."""
        valued = terms["valued"] > 0
        error, error_last = (
            np.where(valued, terms[name], np.nan).astype(np.float32)
            for name in ("error", "error_last")
        )
        return cls(rows.origin.astype(np.int16), rows.card.astype(np.int32), error, error_last)

    def same_card_days(self, other: "CardErrors") -> bool:
        """Return whether both are of the same cards on the same days."""
        return np.array_equal(self.origin, other.origin) and np.array_equal(self.card, other.card)

    def excess(
        self, rival: "CardErrors", days: Sequence[date], horizon: int, origins: Bools | None = None
    ) -> Estimate | None:
        """Return the excess error of the rival, as a share of the last price's error.

        Only card-days that both valued count, and of `days` [origins] only those of a mask. None if
        none is left, or if the last price has no error on them and the two differ.
        """
        used = np.ones(len(days), dtype=np.bool_) if origins is None else origins
        rows = used[self.origin] & np.isfinite(self.error) & np.isfinite(rival.error)
        if not rows.any():
            return None
        origin, chosen = (np.cumsum(used) - 1)[self.origin], np.flatnonzero(used).tolist()
        clusters = Clusters(origin, self.card, [days[at] for at in chosen], horizon).select(rows)
        error, other, last = (
            each[rows].astype(np.float64) for each in (self.error, rival.error, self.error_last)
        )
        if np.array_equal(error, other):
            return Estimate(0.0, 0.0, 0.0, clusters.windows)
        return clusters.ratio(other - error, last)
