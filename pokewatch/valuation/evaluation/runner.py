"""Walk-forward evaluation: models trained on the data known at each origin, scored at the horizon.

The embargo follows from the training set: the targets of a model trained at origin t are known by
t, so its last training day is t - h.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.contract import Skill
from pokewatch.errors import ValuationError
from pokewatch.valuation.cpu_count import cpu_count
from pokewatch.valuation.evaluation.comparison import CardErrors
from pokewatch.valuation.evaluation.origins import MAX_ORIGINS, MIN_ORIGINS, quoted_origins
from pokewatch.valuation.evaluation.reliability import reliability
from pokewatch.valuation.evaluation.scores import (
    Forecasts,
    daily_sums,
    price_groups,
    score,
    terms,
)
from pokewatch.valuation.evaluation.two_way import Clusters, windows_of
from pokewatch.valuation.features import DayFeatures
from pokewatch.valuation.intervals import band_of, liquidity_of
from pokewatch.valuation.models import MODELS, Values
from pokewatch.valuation.panel import Floats, Panel
from pokewatch.valuation.panel_file import Warn, read_panel
from pokewatch.valuation.skill import skill_of
from pokewatch.valuation.training_set import settled
from pokewatch.valuation.walk_forward import Walk, walk_together
from pokewatch.wording import counted

COSTLY = frozenset({"boosted"})  # takes some twenty times as long as any other model

Sums = dict[str, Floats]
Progress = Callable[[float], object]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One model at one horizon, in days.

    `sums` [origins] are the sums of the `terms` by origin, `errors` what comparisons need.
    """

    model: str
    horizon: int
    origins: tuple[date, ...]
    settled: tuple[bool, ...]  # of each origin: see `training_set.settled`
    scores: dict[str, Any]
    fresh: dict[str, Any]
    groups: tuple[dict[str, Any], ...]
    reliability: tuple[dict[str, Any], ...]
    sums: Sums
    errors: CardErrors

    @property
    def windows(self) -> float:
        """The number of independent periods of the origins that have forecasts."""
        quoted = np.flatnonzero(self.sums["quoted"]).tolist()
        return windows_of([self.origins[number] for number in quoted], self.horizon)

    @property
    def beats_last_price(self) -> bool:
        """Whether the 95% interval of the error relative to the last price's is below 1."""
        interval = self.scores["rmae_last_ci"]
        return interval is not None and interval[1] < 1

    @property
    def skill(self) -> Skill:
        """The result of the evaluation, against forecasting the last price."""
        return skill_of({"beats_last_price": self.beats_last_price, "windows": self.windows})

    @property
    def renewal_rate(self) -> float | None:
        """The share of card-days whose quote was renewed within the horizon."""
        quoted = self.scores["n"]
        return self.fresh["n"] / quoted if quoted else None

    def settled_coverage(self, *, renewed: bool = False) -> tuple[float | None, int]:
        """Return the interval coverage on settled origins, and its card-days.

        The others are left out: no interval can cover the effect of an unforeseen market change.
        With `renewed`, only quotes that were renewed within the horizon count.
        """
        mask, kind = np.asarray(self.settled, dtype=np.bool_), "renewed_" if renewed else ""
        covered, known = (
            float(self.sums[f"{kind}{name}"][mask].sum()) for name in ("covered", "interval")
        )
        return covered / known if known else None, int(known)

    def __str__(self) -> str:
        return f"evaluated {self.model} at {counted(len(self.origins), 'origin')}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON, without the errors of each card."""
        return {
            "model": self.model,
            "horizon": self.horizon,
            "origins": [origin.isoformat() for origin in self.origins],
            "settled": list(self.settled),
            "enough_origins": len(self.origins) >= MIN_ORIGINS,
            "windows": self.windows,
            "beats_last_price": self.beats_last_price,
            "skill": self.skill,
            **self.scores,
            "dataset_size": self.scores["n"],
            "renewal_rate": self.renewal_rate,
            "fresh": self.fresh,
            "groups": list(self.groups),
            "reliability": list(self.reliability),
            "by_origin": {name: sums.tolist() for name, sums in self.sums.items()},
        }


def evaluate_file(
    path: Path,
    horizon: int,
    model: str | None = None,
    min_price: float | None = None,
    progress: Progress = lambda _: None,
    warn: Warn = lambda _: None,
) -> list[dict[str, Any]]:
    """Return the evaluations of a file's panel as plain JSON, the simplest model first.

    `model` limits them to one. `progress` is as for `evaluate`, `warn` for `read_panel`. Raise
    ValuationError for a file that cannot be read or without a card-day to score, ValueError for an
    unknown model or a horizon below 1.
    """
    names = tuple(MODELS) if model is None else (model,)
    panel = read_panel(path, warn)
    found = evaluate(panel, names, horizon, min_price, progress=progress)
    if not found[0].scores["n"]:
        above = "" if min_price is None else f"at or above {min_price:.15g} "
        raise ValuationError(
            f"{path} has no card with a price {above}on an origin and one "
            f"{counted(horizon, 'day')} later"
        )
    return [each.to_dict() for each in found]


def evaluate(
    panel: Panel,
    names: Sequence[str],
    horizon: int,
    min_price: float | None = None,
    max_origins: int = MAX_ORIGINS,
    progress: Progress = lambda _: None,
) -> list[Evaluation]:
    """Return the evaluations of the models at the same origins on the same card-days.

    The card-days are those quoted at the origin, at or above `min_price`, and at the horizon.
    `progress` is called with the share of the work that is done, from 0 to 1. Raise
    ValuationError if the panel has no origin, ValueError for an unknown model or a horizon below 1.
    """
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {unknown[0]!r}")
    days = quoted_origins(panel.quoted_days, horizon, max_origins)
    if not days:
        raise ValuationError(
            f"models cannot be evaluated at a horizon of {counted(horizon, 'day')}: no day has "
            f"prices both on it and {counted(horizon, 'day')} later, as an outcome must"
        )
    rows = forecasts(panel, names, horizon, days, min_price, progress)
    return [_evaluation(panel, name, horizon, days, rows.pop(name)) for name in names]


def forecasts(
    panel: Panel,
    names: Sequence[str],
    horizon: int,
    origins: Sequence[int],
    min_price: float | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Forecasts]:
    """Return each model's forecasts at the origins (day indices, ascending) of all quoted cards.

    `progress` is called with the share of the forecasts that is done.
    """
    parts: dict[str, list[Forecasts]] = {name: [] for name in names}
    # The simplest model is the first of all: the costly ones begin first.
    walks = [Walk(name, horizon, origins) for name in reversed(names)]
    valued = walk_together(panel, walks, at_once=min(len(walks), cpu_count()))
    for done, (walk, today, values) in enumerate(valued, start=1):
        found = parts[walk.name]
        found.append(_forecasts_at(len(found), panel, horizon, today, values, min_price or 0.0))
        progress(done / (len(walks) * len(origins)))
    return {name: _joined(found) for name, found in parts.items()}


def _forecasts_at(
    number: int,
    panel: Panel,
    horizon: int,
    today: DayFeatures,
    values: Values,
    min_price: float,
) -> Forecasts:
    """Return the forecasts of one origin, the one of a `number`."""
    origin = today.day
    last, truth = panel.market[origin], panel.market[origin + horizon]
    rows = np.flatnonzero(np.isfinite(last) & np.isfinite(truth) & (last >= min_price))
    return Forecasts(
        origin=np.full(len(rows), number),
        card=rows,
        last=last[rows],
        median7=np.exp(today.last + today.column("median7"))[rows],
        truth=truth[rows],
        fair=values.fair[rows],
        lower=values.lower[rows],
        upper=values.upper[rows],
        status=values.status[rows],
        band=band_of(last[rows]),
        liquidity=liquidity_of(today.values[rows]),
        renewed=np.any(panel.fresh[origin + 1 : origin + horizon + 1, rows], axis=0),
        distribution=values.distribution.to_array()[rows],
    )


def _joined(parts: Sequence[Forecasts]) -> Forecasts:
    names = Forecasts.__dataclass_fields__
    return Forecasts(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def _evaluation(
    panel: Panel, name: str, horizon: int, days: Sequence[int], rows: Forecasts
) -> Evaluation:
    found, origins = terms(rows), tuple(panel.dates[days].tolist())
    clusters = Clusters(rows.origin, rows.card, origins, horizon)

    def scored(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        return score({key: term[chosen] for key, term in found.items()}, clusters.select(chosen))

    return Evaluation(
        model=name,
        horizon=horizon,
        origins=origins,
        settled=tuple(settled(panel, day, horizon) for day in days),
        scores=score(found, clusters),
        fresh=scored(rows.renewed),
        groups=tuple({**names, **scored(inside)} for names, inside in price_groups(rows)),
        reliability=tuple(reliability(rows, clusters)),
        sums=daily_sums(found, rows.origin, len(origins)),
        errors=CardErrors.of(rows, found),
    )
