"""What was predicted then against what came: coverage of the 90% interval, error, bias, reliability of the confidence.

Look-ahead is forbidden, so what is judged is what was really served: the last day in the price book of the version that was
champion then. A book is written before the days it forecasts, is found by its digest and cannot change; the registry knows which
versions became champion and which day their prices end on. Where no champion's book ends on that day, the one that still served is
judged, for at most a week. For days before any champion the book of today's champion stands in: it says of each past day what its
kind of model, having learnt until then only, would have said. That the kind was chosen later cannot be undone, so such figures
are labelled `reconstructed`.

The interval and the confidence speak of `horizon` days ahead. Forecasts of 30 days ago are judged too, as a dealer who acted on
them would: their error and bias mean something, how many prices were inside the interval then is only told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from pokewatch.registry import DEPLOYED_AT, LAST_DAY, RegisteredModel, Registry
from pokewatch.valuation.book import STATUSES, PriceBook
from pokewatch.valuation.evaluation.reliability import reliability
from pokewatch.valuation.evaluation.scores import Forecasts, daily_sums, price_groups, score, terms
from pokewatch.valuation.features import WINDOW, stream_features
from pokewatch.valuation.intervals import UNKNOWN_CARD, band_of, liquidity_of
from pokewatch.valuation.panel import Floats, Panel

SERVED_FOR = timedelta(days=6)  # how long a book may have gone on serving after its last day
_CODES = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class PastForecasts:
    """A book, and the day in it whose forecasts are judged. `served` tells whether it was champion then."""

    version: str
    book: PriceBook
    day: date
    served: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """Forecasts made on a day, judged `lag` days later. `scores` and `groups` are those of an evaluation, without intervals."""

    lag: int
    made_on: date
    version: str
    served: bool
    scores: dict[str, Any]
    groups: tuple[dict[str, Any], ...]
    reliability: tuple[dict[str, Any], ...]

    @property
    def reliability_gap(self) -> float | None:
        """Mean distance of the confidence from the share that came true, None where nothing was judged."""
        said = [
            (each["n"], abs(each["observed"] - each["confidence"])) for each in self.reliability
        ]
        return sum(n * gap for n, gap in said) / sum(n for n, _ in said) if said else None

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


def forecasts_on(
    registry: Registry, day: date, champion: RegisteredModel, book: PriceBook
) -> PastForecasts | None:
    """What was said by `day`, at the latest: by the champion of then, else by `book`, today's `champion`'s; None before its first day."""
    served = [
        model
        for model in registry.versions()
        if _served(model, day, champion.tags.get("source", ""))
    ]
    if served:
        model = max(served, key=lambda each: (each.tags[LAST_DAY], each.tags[DEPLOYED_AT]))
        found = book if model.digest == champion.digest else registry.open_book(model)
        return PastForecasts(model.version, found, found.last_day, served=True)
    return (
        PastForecasts(champion.version, book, day, served=False)
        if book.first_day <= day <= book.last_day
        else None
    )


def calibrate(panel: Panel, said: PastForecasts, lag: int) -> Calibration | None:
    """What was said of each card against its price `lag` days later. None where the panel lacks either day, or nothing can be judged."""
    origin = int((np.datetime64(said.day, "D") - panel.dates[0]).astype(np.int64))
    if origin < 0 or origin + lag >= panel.days:
        return None
    rows = _forecasts(panel, said, origin, lag)
    if not np.isfinite(rows.fair).any():
        return None
    found = terms(rows)
    groups = tuple(
        {**names, **_scores({name: term[inside] for name, term in found.items()})}
        for names, inside in price_groups(rows)
    )
    return Calibration(
        lag, said.day, said.version, said.served, _scores(found), groups, tuple(reliability(rows))
    )


def coverage_by_day(
    panel: Panel, book: PriceBook, horizon: int, days: Sequence[date]
) -> list[tuple[int, int]]:
    """(prices inside the interval, prices judged) of the forecasts that `book` has for each of the days."""
    found = []
    for day in days:
        origin = int((np.datetime64(day, "D") - panel.dates[0]).astype(np.int64))
        quotes = book.look_up(panel.card_id.tolist(), np.full(panel.cards, np.datetime64(day)))
        truth = panel.market[origin + horizon]
        judged = np.isfinite(truth) & np.isfinite(quotes.fair) & np.isfinite(panel.market[origin])
        inside = judged & (truth >= quotes.lower - 1e-6) & (truth <= quotes.upper + 1e-6)
        found.append((int(inside.sum()), int(judged.sum())))
    return found


def _served(model: RegisteredModel, day: date, source: str) -> bool:
    if (
        DEPLOYED_AT not in model.tags
        or LAST_DAY not in model.tags
        or model.tags.get("source", "") != source
    ):
        return False
    return day - SERVED_FOR <= date.fromisoformat(model.tags[LAST_DAY]) <= day


def _forecasts(panel: Panel, said: PastForecasts, origin: int, lag: int) -> Forecasts:
    quotes = said.book.look_up(
        panel.card_id.tolist(), np.full(panel.cards, np.datetime64(said.day))
    )
    today = next(stream_features(panel.after(max(0, origin - WINDOW - 7)), [min(origin, WINDOW + 7)]))
    last, truth = panel.market[origin], panel.market[origin + lag]
    rows = np.flatnonzero(np.isfinite(last) & np.isfinite(truth))
    status = np.array(
        [_CODES.get(text, UNKNOWN_CARD) for text in quotes.status.tolist()], dtype=np.int8
    )
    return Forecasts(
        origin=np.zeros(len(rows), dtype=np.int64),
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
    )


def _scores(found: Mapping[str, Floats]) -> dict[str, Any]:
    sums = daily_sums(found, np.zeros(len(found["quoted"]), dtype=np.int64), 1)
    return {
        name: value
        for name, value in score(sums, np.ones((1, 1))).items()
        if not name.endswith("_ci")
    }
