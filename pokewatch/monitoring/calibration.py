"""Past forecasts against the prices that followed: interval coverage, error, bias, reliability.

To rule out look-ahead, what is judged is what was really served: the last day in the price book of
the version that was champion at the time. A book is written before the days it forecasts, is named
by its digest, and cannot change; the registry records which versions became champion and the day
their prices end on. Where no champion's book ends on that day, the book that was still being served
is judged, up to a week after its last day.

For days before the first champion, or whose champion's book cannot be read, the book of today's
champion stands in: it holds, for each past day, what its kind of model would have forecast when
trained on the days before. The kind itself was chosen later, so those figures are labelled
`reconstructed`.

The coverage of the interval is judged over several weeks of forecasts, with an error that allows
for common cards and common dates: one day's prices share one move of the market. These forecasts
are those of today's champion's book, whose past is what its kind of model would have forecast then.

The interval and the confidence are about `horizon` days ahead. Forecasts of 30 days ago are judged
as well, for users who acted on them: their error and bias are meaningful, their coverage is shown
only for information.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.monitoring.outcomes import features_on, read_book, was_champion
from pokewatch.registry import DEPLOYED_AT, LAST_DAY, RegisteredModel, Registry
from pokewatch.valuation.book import STATUSES, PriceBook
from pokewatch.valuation.evaluation.reliability import reliability
from pokewatch.valuation.evaluation.scores import (
    Forecasts,
    interval_of,
    price_groups,
    score,
    terms,
)
from pokewatch.valuation.evaluation.two_way import Clusters, Estimate
from pokewatch.valuation.intervals import UNKNOWN_CARD, band_of, liquidity_of
from pokewatch.valuation.panel import Bools, Floats, Panel

SERVED_FOR = timedelta(days=6)  # how long a book may have gone on serving after its last day
_CODES = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class PastForecasts:
    """A book and the day in it whose forecasts are judged; `served` if it was champion then."""

    version: str
    book: PriceBook
    day: date
    served: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """Forecasts made on a day, judged `lag` days later.

    `scores` and `groups` are those of an evaluation, without confidence intervals: these are the
    forecasts of one day.
    """

    lag: int
    made_on: date
    version: str
    served: bool
    scores: dict[str, Any]
    groups: tuple[dict[str, Any], ...]
    reliability: tuple[dict[str, Any], ...]

    @property
    def reliability_gap(self) -> float | None:
        """Mean gap between confidence and observed frequency; None where nothing was judged."""
        gaps = [
            (each["n"], abs(each["observed"] - each["confidence"])) for each in self.reliability
        ]
        return sum(n * gap for n, gap in gaps) / sum(n for n, _ in gaps) if gaps else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "lag": self.lag,
            "made_on": self.made_on.isoformat(),
            "version": self.version,
            "served": self.served,
            **self.scores,
            "reliability_gap": self.reliability_gap,
            "groups": list(self.groups),
            "reliability": list(self.reliability),
        }


@dataclass(frozen=True, slots=True)
class IntervalCoverage:
    """How many prices were inside the 90% interval, and how many were judged, by day of forecast.

    `share` is the share inside, with its error; None where nothing was judged. `renewed_share` is
    that of the `renewed` prices alone: the others are inside any interval with the last price.
    """

    made_on: tuple[date, ...]
    inside: tuple[int, ...]
    judged: tuple[int, ...]
    share: Estimate | None
    renewed: int
    renewed_share: Estimate | None

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the 95% interval of the share, 0 and 1 where nothing tells its error."""
        return _ends(self.share)

    @property
    def renewed_ends(self) -> tuple[float, float]:
        """The same of the share of renewed prices."""
        return _ends(self.renewed_share)

    def to_dict(self) -> dict[str, Any]:
        share = self.share
        return {
            "made_on": [day.isoformat() for day in self.made_on],
            "inside": list(self.inside),
            "judged": list(self.judged),
            "share": share and share.value,
            "share_ci": share and list(self.ends),
            "windows": share and share.windows,
            "renewed": self.renewed,
            "renewed_share": self.renewed_share and self.renewed_share.value,
        }


def _ends(share: Estimate | None) -> tuple[float, float]:
    return (share and interval_of("coverage_90", share)) or (0.0, 1.0)


def forecasts_on(
    registry: Registry, day: date, champion: RegisteredModel, book: PriceBook
) -> PastForecasts | None:
    """Return the forecasts that the champion of `day` made on it, or served on it.

    If there was no champion, if its market or currency was another, or if its book cannot be read,
    return what `book`, the book of today's `champion`, says of that day; None before its first day.
    """
    served = [
        model
        for model in registry.versions()
        if _served(model, day, champion.tags.get("source", ""))
    ]
    if served:
        model = max(served, key=lambda each: (each.tags[LAST_DAY], each.tags[DEPLOYED_AT]))
        found = book if model.digest == champion.digest else read_book(registry, model.version)
        if found is not None and _prices_of(found) == _prices_of(book):
            return PastForecasts(model.version, found, found.last_day, served=True)
    return (
        PastForecasts(champion.version, book, day, served=False)
        if book.first_day <= day <= book.last_day
        else None
    )


def calibrate(panel: Panel, past: PastForecasts, lag: int) -> Calibration | None:
    """Compare the forecast of each card with its price `lag` days later.

    None where the panel lacks either day, or where nothing can be judged.
    """
    origin = panel.index(past.day)
    if origin < 0 or origin + lag >= panel.days:
        return None
    rows = _forecasts(panel, past, origin, lag)
    if not np.isfinite(rows.fair).any():
        return None
    found = terms(rows)
    groups = tuple(
        {**names, **_scores({name: term[inside] for name, term in found.items()}, past.day, lag)}
        for names, inside in price_groups(rows)
    )
    scores, confidence = _scores(found, past.day, lag), tuple(reliability(rows))
    return Calibration(lag, past.day, past.version, past.served, scores, groups, confidence)


def interval_coverage(
    panel: Panel, book: PriceBook, horizon: int, days: Sequence[date]
) -> IntervalCoverage:
    """Return the coverage of the intervals in `book` for forecasts made on `days`, ascending."""
    parts = [_inside(panel, book, horizon, day) for day in days]
    origin = np.repeat(np.arange(len(days)), [len(card) for card, *_ in parts])
    share = renewed_share = None
    count = 0
    if len(origin):
        card, inside, renewed = (np.concatenate(each) for each in zip(*parts, strict=True))
        clusters, count = Clusters(origin, card, days, horizon), int(renewed.sum())
        share = clusters.ratio(inside.astype(np.float64), np.ones(len(inside)))
        if count:
            of_renewed = clusters.select(renewed)
            renewed_share = of_renewed.ratio(inside[renewed].astype(np.float64), np.ones(count))
    return IntervalCoverage(
        tuple(days),
        tuple(int(inside.sum()) for _, inside, _ in parts),
        tuple(len(inside) for _, inside, _ in parts),
        share,
        count,
        renewed_share,
    )


def _inside(
    panel: Panel, book: PriceBook, horizon: int, day: date
) -> tuple[NDArray[np.int64], Bools, Bools]:
    """Return the cards [m] judged, whose price was inside its interval, and whose was renewed.

    Forecasts without an interval are not judged.
    """
    origin = panel.index(day)
    quotes = book.look_up(panel.card_id.tolist(), np.full(panel.cards, np.datetime64(day)))
    truth = panel.market[origin + horizon]
    judged = (
        np.isfinite(truth)
        & np.isfinite(quotes.upper - quotes.lower)
        & np.isfinite(panel.market[origin])
    )
    inside = (truth >= quotes.lower - 1e-6) & (truth <= quotes.upper + 1e-6)
    renewed = np.any(panel.fresh[origin + 1 : origin + horizon + 1], axis=0)
    return np.flatnonzero(judged), inside[judged], renewed[judged]


def _prices_of(book: PriceBook) -> tuple[str, str]:
    """Return the market and the currency of a book: two files are markets of the same source."""
    return book.facts.market, book.facts.currency


def _served(model: RegisteredModel, day: date, source: str) -> bool:
    if not was_champion(model, source):
        return False
    return day - SERVED_FOR <= date.fromisoformat(model.tags[LAST_DAY]) <= day


def _forecasts(panel: Panel, past: PastForecasts, origin: int, lag: int) -> Forecasts:
    quotes = past.book.look_up(
        panel.card_id.tolist(), np.full(panel.cards, np.datetime64(past.day))
    )
    today = features_on(panel, origin)
    last, truth = panel.market[origin], panel.market[origin + lag]
    rows = np.flatnonzero(np.isfinite(last) & np.isfinite(truth))
    status = np.array(
        [_CODES.get(text, UNKNOWN_CARD) for text in quotes.status.tolist()], dtype=np.int8
    )
    return Forecasts(
        origin=np.zeros(len(rows), dtype=np.int64),
        card=rows,
        last=last[rows],
        median7=np.exp(today.last + today.column("median7"))[rows],
        truth=truth[rows],
        fair=quotes.fair[rows],
        lower=quotes.lower[rows],
        upper=quotes.upper[rows],
        status=status[rows],
        band=band_of(last[rows]),
        liquidity=liquidity_of(today.values[rows]),
        renewed=np.any(panel.fresh[origin + 1 : origin + lag + 1, rows], axis=0),
        distribution=quotes.distribution[rows],
    )


def _scores(found: Mapping[str, Floats], day: date, lag: int) -> dict[str, Any]:
    n = len(found["quoted"])
    clusters = Clusters(np.zeros(n, dtype=np.int64), np.arange(n), [day], lag)
    return {
        name: value for name, value in score(found, clusters).items() if not name.endswith("_ci")
    }
