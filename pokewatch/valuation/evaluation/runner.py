"""Walk-forward evaluation: models trained on the data known at each origin, scored at the horizon.

The embargo follows from the training set: the targets of a model trained at origin t are known by
t, so its last training day is t - h.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.errors import ValuationError
from pokewatch.valuation.evaluation.reliability import reliability
from pokewatch.valuation.evaluation.scores import (
    Forecasts,
    block_weights,
    daily_sums,
    price_groups,
    score,
    terms,
)
from pokewatch.valuation.intervals import band_of, liquidity_of
from pokewatch.valuation.models import MODELS
from pokewatch.valuation.panel import Floats, Panel
from pokewatch.valuation.panel_file import read_panel
from pokewatch.valuation.short_history import days_needed
from pokewatch.valuation.training_set import settled
from pokewatch.valuation.walk_forward import walk_forward

MIN_ORIGINS = 12
MAX_ORIGINS = 16
_WARMUP_DAYS = 10  # training days before the first origin, where the panel has that many

Sums = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model at one horizon, in days.

    `sums` [origins] are the sums by origin that scores and comparisons are computed from.
    """

    model: str
    horizon: int
    origins: tuple[date, ...]
    settled: tuple[bool, ...]  # of each origin: see `training_set.settled`
    block: int  # consecutive origins that are resampled together
    scores: dict[str, Any]
    fresh: dict[str, Any]
    groups: tuple[dict[str, Any], ...]
    reliability: tuple[dict[str, Any], ...]
    sums: Sums

    def weights(self) -> Floats:
        """Return weights [resamples, origins], the same for every model on the same origins."""
        return block_weights(len(self.origins), self.block)

    def settled_coverage(self) -> tuple[float | None, int, int]:
        """Return the interval coverage on settled origins, and their card-days and number.

        The others are left out: no interval can cover the effect of an unforeseen market change.
        """
        mask = np.asarray(self.settled, dtype=np.bool_)
        covered, known, quoted = (
            float(self.sums[name][mask].sum()) for name in ("covered", "interval", "quoted")
        )
        return covered / known if known else None, int(quoted), int(mask.sum())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON; `Evaluation.from_dict` takes it back."""
        return {
            "model": self.model,
            "horizon": self.horizon,
            "origins": [origin.isoformat() for origin in self.origins],
            "settled": list(self.settled),
            "enough_origins": len(self.origins) >= MIN_ORIGINS,
            "block": self.block,
            **self.scores,
            "dataset_size": self.scores["n"],
            "fresh": self.fresh,
            "groups": list(self.groups),
            "reliability": list(self.reliability),
            "by_origin": {name: sums.tolist() for name, sums in self.sums.items()},
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Evaluation":
        known = {
            "model",
            "horizon",
            "origins",
            "settled",
            "enough_origins",
            "block",
            "dataset_size",
        }
        known |= {"fresh", "groups", "reliability", "by_origin"}
        return cls(
            model=given["model"],
            horizon=given["horizon"],
            origins=tuple(map(date.fromisoformat, given["origins"])),
            settled=tuple(given["settled"]),
            block=given["block"],
            scores={name: value for name, value in given.items() if name not in known},
            fresh=given["fresh"],
            groups=tuple(given["groups"]),
            reliability=tuple(given["reliability"]),
            sums={
                name: np.asarray(sums, dtype=np.float64)
                for name, sums in given["by_origin"].items()
            },
        )


def evaluate_file(
    path: Path, horizon: int, model: str | None = None, min_price: float | None = None
) -> list[dict[str, Any]]:
    """Return the evaluations of a file's panel as plain JSON, the simplest model first.

    `model` limits them to one. Raise ValuationError for a file that cannot be read or a panel too
    short, ValueError for an unknown model or a horizon below 1.
    """
    names = tuple(MODELS) if model is None else (model,)
    return [found.to_dict() for found in evaluate(read_panel(path), names, horizon, min_price)]


def evaluate(
    panel: Panel,
    names: Sequence[str],
    horizon: int,
    min_price: float | None = None,
    max_origins: int = MAX_ORIGINS,
) -> list[Evaluation]:
    """Return the evaluations of the models at the same origins on the same card-days.

    The card-days are those quoted at the origin, at or above `min_price`, and at the horizon. Raise
    ValuationError if the panel is too short for one origin, ValueError for an unknown model or a
    horizon below 1.
    """
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {unknown[0]!r}")
    days = origin_days(panel.days, horizon, max_origins)
    return [
        _evaluation(panel, name, horizon, days, forecasts(panel, name, horizon, days, min_price))
        for name in names
    ]


def origin_days(days: int, horizon: int, max_origins: int = MAX_ORIGINS) -> list[int]:
    """Return evenly spaced day indices, the last as late as the horizon allows.

    The first is after a third of the panel and ten training days. It is earlier where that leaves
    fewer than MIN_ORIGINS, but never before there is a training day. Raise ValuationError for a
    panel too short, ValueError for a horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 day, got {horizon}")
    last = days - 1 - horizon
    first = max(horizon, min(max(horizon + _WARMUP_DAYS, days // 3), last - MIN_ORIGINS + 1))
    if last < first:
        raise ValuationError(
            f"{days} days are too few to evaluate a horizon of {horizon} days: "
            f"at least {days_needed(horizon)} are needed"
        )
    span = last - first
    step = max(1, min(-(-span // (max_origins - 1)), span // (MIN_ORIGINS - 1)))
    return list(range(last, first - 1, -step))[:max_origins][::-1]


def block_of(days: Sequence[int], horizon: int) -> int:
    """Return the number of consecutive origins whose targets overlap, at most half of all."""
    spacing = days[1] - days[0] if len(days) > 1 else horizon
    return max(1, min(-(-horizon // spacing), len(days) // 2))


def forecasts(
    panel: Panel, name: str, horizon: int, origins: Sequence[int], min_price: float | None = None
) -> Forecasts:
    """Return the model's forecasts at the origins (day indices, ascending) of all quoted cards."""
    parts = []
    for number, (today, values) in enumerate(walk_forward(panel, name, horizon, origins)):
        origin = today.day
        last, truth = panel.market[origin], panel.market[origin + horizon]
        rows = np.flatnonzero(np.isfinite(last) & np.isfinite(truth) & (last >= (min_price or 0.0)))
        parts.append(
            Forecasts(
                origin=np.full(len(rows), number),
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
            )
        )
    return _joined(parts)


def _joined(parts: Sequence[Forecasts]) -> Forecasts:
    names = Forecasts.__dataclass_fields__
    return Forecasts(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def _evaluation(
    panel: Panel, name: str, horizon: int, days: Sequence[int], rows: Forecasts
) -> Evaluation:
    found, block, origins = terms(rows), block_of(days, horizon), panel.dates[days].tolist()
    weights = block_weights(len(origins), block)

    def sums(chosen: NDArray[np.bool_] | None = None) -> Sums:
        scored = found if chosen is None else {key: term[chosen] for key, term in found.items()}
        return daily_sums(
            scored, rows.origin if chosen is None else rows.origin[chosen], len(origins)
        )

    everything = sums()
    return Evaluation(
        model=name,
        horizon=horizon,
        origins=tuple(origins),
        settled=tuple(settled(panel, day, horizon) for day in days),
        block=block,
        scores=score(everything, weights),
        fresh=score(sums(rows.renewed), weights),
        groups=tuple(
            {**names, **score(sums(inside), weights)} for names, inside in price_groups(rows)
        ),
        reliability=tuple(reliability(rows)),
        sums=everything,
    )
