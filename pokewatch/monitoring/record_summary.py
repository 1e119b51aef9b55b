"""The summary of a track record: scores by month, version and price, reliability, worst misses.

Errors and their intervals are those of an evaluation (`pokewatch.valuation.evaluation`): the error
is the sum of absolute errors on the log price relative to that of the last price, and intervals
allow for common cards and common dates. Forecasts that cannot be judged, because the card had no
price on either day, are counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.contract import DEFAULT_MIN_PRICE
from pokewatch.decision import SIGNALS, Thresholds
from pokewatch.monitoring.resolved_forecasts import ResolvedForecasts
from pokewatch.valuation.evaluation.reliability import outcomes_of, reliability_of
from pokewatch.valuation.evaluation.scores import SCORES, interval_of
from pokewatch.valuation.evaluation.two_way import Clusters, windows_of
from pokewatch.valuation.intervals import BANDS
from pokewatch.valuation.panel import Bools

# An interval from fewer independent periods, or cards, would not show how they differ.
MIN_PERIODS = 2.0
MIN_CARDS = 10
WORST = 20


def summarize(found: Sequence[ResolvedForecasts]) -> list[dict[str, Any]]:
    """Return the summary of each horizon as plain JSON."""
    return [
        {
            "horizon": each.horizon,
            "overall": _slice(each, np.ones(len(each.card), dtype=np.bool_)),
            "months": _by(each, [f"{day:%Y-%m}" for day in each.issued_on]),
            "versions": _by(each, each.versions),
            "price_bands": [
                {"key": name, **_slice(each, each.band == band)}
                for band, name in enumerate(BANDS)
                if (each.band == band).any()
            ],
            "reliability": _reliability(each),
            "worst_misses": _worst(each),
        }
        for each in found
    ]


def _by(found: ResolvedForecasts, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the scores by the label of an issue, in the order in which labels occur."""
    labelled = np.asarray(labels)
    return [
        {"key": label, **_slice(found, (labelled == label)[found.origin])}
        for label in dict.fromkeys(labels)
    ]


def _slice(found: ResolvedForecasts, inside: Bools) -> dict[str, Any]:
    """Return the scores of the forecasts `inside` [m]."""
    issues = np.unique(found.origin[inside])
    days = [found.issued_on[number] for number in issues]
    judged = inside & found.judged
    terms = {name: values[judged] for name, values in found.terms.items()}
    clusters = Clusters(
        np.searchsorted(issues, found.origin[judged]),
        np.unique(found.card[judged], return_inverse=True)[1],
        days,
        found.horizon,
    )
    counted = int(judged.sum())
    cards = len(np.unique(clusters.card))
    enough = clusters.windows >= MIN_PERIODS and cards >= MIN_CARDS
    return {
        "from": min(days).isoformat(),
        "to": max(days).isoformat(),
        "issues": len(issues),
        "periods": windows_of(days, found.horizon),
        "cards": cards,
        "forecasts": int(inside.sum()),
        "judged": counted,
        "error": _estimate("rmae_last", terms, clusters, enough),
        "coverage": _estimate("coverage_90", terms, clusters, enough),
        "mape": float(terms["percentage_error"].sum()) / counted if counted else None,
        "bias": float(terms["signed_error"].sum()) / counted if counted else None,
    }


def _estimate(
    score: str, terms: Mapping[str, NDArray[np.float64]], clusters: Clusters, enough: bool
) -> dict[str, float | None] | None:
    """Return a score, with its 95% interval if there is `enough` to estimate it from.

    There is none if only one card has an error: its errors do not tell how much they vary.
    """
    above, below = (terms[name] for name in SCORES[score])
    found = clusters.ratio(above, below)
    if found is None:
        return None
    low, high = (interval_of(score, found) if enough else None) or (None, None)
    return {"value": found.value, "low": low, "high": high}


def _reliability(found: ResolvedForecasts) -> list[dict[str, Any]]:
    rows = found.judged
    clusters = found.clusters()
    enough = clusters.windows >= MIN_PERIODS and len(np.unique(found.card[rows])) >= MIN_CARDS
    bins = reliability_of(
        np.asarray(SIGNALS)[found.signal[rows]],
        found.confidence[rows],
        outcomes_of(
            found.last[rows], found.outcome[rows], Thresholds(found.buy[rows], found.sell[rows])
        ),
        clusters.select(rows) if enough else None,
    )
    return [{"observed_ci": None, **each} for each in bins]


def _worst(found: ResolvedForecasts) -> list[dict[str, Any]]:
    """Return the worst forecast of each of the cards that were missed most.

    Cards below the minimum price then and later are left out: pennies would fill the list.
    """
    rows = np.flatnonzero(found.judged & (np.fmax(found.last, found.outcome) >= DEFAULT_MIN_PRICE))
    rows = rows[np.argsort(-found.terms["error"][rows], kind="stable")]
    rows = rows[np.sort(np.unique(found.card[rows], return_index=True)[1])][:WORST]
    return [
        {
            "card_id": (card := found.cards[found.card[row]]),
            **found.names[card],
            "issued_on": found.issued_on[found.origin[row]].isoformat(),
            "model_version": found.versions[found.origin[row]],
            "last_price": float(found.last[row]),
            "fair_price": float(found.fair[row]),
            "outcome": float(found.outcome[row]),
            "inside": bool(found.terms["covered"][row]),
        }
        for row in rows[np.argsort(-found.terms["error"][rows], kind="stable")].tolist()
    ]
