"""The values of the page of the track record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pokewatch.gateway.api.card_names import CardName, names_of
from pokewatch.gateway.api.experiment_schemas import ExperimentDay, RecordExperiment
from pokewatch.gateway.api.record_schemas import (
    RecordBacktest,
    RecordEstimate,
    RecordIssue,
    RecordMiss,
    RecordOfHorizon,
    RecordPart,
    RecordScores,
    TrackRecordAnswer,
)
from pokewatch.gateway.web.charts import Chart, Line
from pokewatch.gateway.web.dot_charts import Dot, DotChart, place, spread_labels
from pokewatch.gateway.web.visits import Visit

VERSIONS = 30  # the newest, on the page
MIN_PERIODS = 8.0  # as for the skill of a model: fewer say little about the next one
MOST_DOTS = 30
_STATES = {
    "running": "It is running.",
    "promoted": "The challenger was better, and serves now.",
    "aborted": "The challenger was worse, and was given up.",
    "stopped": "It was stopped without a decision.",
}
_TENTHS = [(tenth / 10, f"{tenth * 10}%") for tenth in range(0, 11, 2)]


@dataclass(frozen=True, slots=True)
class OpenForecasts:
    """The forecasts without an outcome: their number, their days of issue, the first day due."""

    forecasts: int
    days: int
    first_due: str | None

    @classmethod
    def of(cls, issues: Sequence[RecordIssue]) -> "OpenForecasts":
        return cls(
            sum(each.forecasts for each in issues),
            len({each.issued_on for each in issues}),
            min((each.due_on for each in issues), default=None),
        )


async def record_values(found: TrackRecordAnswer, visit: Visit) -> dict[str, Any]:
    """Return the values of the template."""
    return {
        "names": await _missed_cards(found, visit),
        "record": found,
        "horizons": [_of_horizon(each) for each in found.horizons],
        "open": open_forecasts(found.open, found.measured_on),
        "experiments": [_of_experiment(each) for each in found.experiments],
        "total_bytes": sum(file.bytes for file in found.files),
    }


async def _missed_cards(found: TrackRecordAnswer, visit: Visit) -> dict[str, CardName]:
    """Return the cards of the worst misses by slug, with the numbers that the catalogue has."""
    misses = [miss for each in found.horizons for miss in each.worst_misses]
    headers = visit.context.forwarded_headers()
    known = await names_of([miss.slug for miss in misses], visit.market, headers)
    visit.complete = bool(known) or not misses
    return {miss.slug: _missed_card(miss, known.get(miss.slug)) for miss in misses}


def _missed_card(miss: RecordMiss, known: CardName | None) -> CardName:
    number, printing = (known.number, known.printing) if known else (None, None)
    return CardName(miss.card_id, miss.slug, miss.name, miss.set_name, number, printing)


def open_forecasts(
    issues: Sequence[RecordIssue], measured_on: str | None
) -> tuple[OpenForecasts, OpenForecasts]:
    """Return the forecasts whose day has not come, and those whose day passed without prices.

    A day that nobody collected may never get prices, so it is not waited for.
    """
    until = measured_on or ""
    waiting = [each for each in issues if each.due_on > until]
    passed = [each for each in issues if each.due_on <= until]
    return OpenForecasts.of(waiting), OpenForecasts.of(passed)


def verdict(scores: RecordScores) -> str:
    """Return in words how the forecasts compare with the last price."""
    error = scores.error
    if error is None:
        return "No forecast can be compared with a later price yet."
    if error.low is None or error.high is None or (scores.periods or 0) < MIN_PERIODS:
        return (
            "Too few independent periods have passed to tell whether the forecasts are closer to "
            "the later prices than the price of the day was."
        )
    if error.high < 1:
        return "The forecasts were closer to the later prices than the price of the day was."
    if error.low > 1:
        return "The forecasts were further from the later prices than the price of the day was."
    return (
        "The forecasts were no closer to the later prices than the price of the day was: rely on "
        "the interval more than on the fair price."
    )


def calibration(coverage: RecordEstimate | None) -> str:
    """Return in words whether the intervals hold the share of prices that they state."""
    if coverage is None or coverage.low is None or coverage.high is None:
        return ""
    if coverage.high < 0.9:
        return "The intervals were too narrow: fewer than 90% of the prices were inside."
    if coverage.low > 0.9:
        return "The intervals were wider than they need be: more than 90% were inside."
    return "The intervals held about what they state, 90% of the prices."


def _of_horizon(found: RecordOfHorizon) -> dict[str, Any]:
    return {
        "found": found,
        "verdict": verdict(found.overall),
        "calibration": calibration(found.overall.coverage),
        "versions": found.versions[::-1][:VERSIONS],
        "older_versions": max(0, len(found.versions) - VERSIONS),
        "error_chart": _chart(
            "Error by month relative to that of the last price, with 95% intervals; below 1 is "
            "better. The table below has the same values.",
            found.months,
            "error",
            1.0,
        ),
        "coverage_chart": _chart(
            "Share of later prices inside the 90% interval by month, with 95% intervals; 90% is "
            "right. The table below has the same values.",
            found.months,
            "coverage",
            0.9,
        ),
        "reliability_chart": _reliability_chart(found),
        "equity_charts": [_equity_chart(each) for each in found.backtests],
    }


def _of_experiment(found: RecordExperiment) -> dict[str, Any]:
    """Return an experiment with a chart of up to MOST_DOTS days, the last among them."""
    step = -(-len(found.series) // MOST_DOTS) or 1
    shown = found.series[::-1][::step][::-1]
    dots = [Dot(place(at, len(shown)), day.mean, *_interval(day)) for at, day in enumerate(shown)]
    title = (
        "Mean difference of the errors by day of forecast, with 95% intervals; above 0 the "
        "challenger is closer."
    )
    labels = spread_labels([day.day for day in shown])
    return {
        "found": found,
        "verdict": _STATES[found.state],
        "chart": DotChart(title, dots, labels, (0.0, 0.0), percent=False),
    }


def _interval(day: ExperimentDay) -> tuple[float, float] | tuple[None, None]:
    """Return the interval of a day, none as long as it is all that is possible."""
    return (day.low, day.high) if (day.low, day.high) != (-1.0, 1.0) else (None, None)


def _chart(title: str, months: list[RecordPart], figure: str, reference: float) -> DotChart:
    dots = []
    for at, month in enumerate(months):
        estimate: RecordEstimate | None = getattr(month, figure)
        if estimate is not None:
            x = place(at, len(months))
            dots.append(Dot(x, estimate.value, estimate.low, estimate.high))
    labels = spread_labels([month.key for month in months])
    return DotChart(title, dots, labels, (reference, reference), percent=figure == "coverage")


def _reliability_chart(found: RecordOfHorizon) -> DotChart:
    dots = []
    for each in found.reliability:
        low, high = each.observed_ci or (None, None)
        dots.append(Dot(each.confidence, each.observed, low, high, each.signal.lower()))
    title = (
        "Share of the signals that came true, with 95% intervals, by the chance that was stated; "
        "on the diagonal the two are equal. The table below has the same values."
    )
    return DotChart(title, dots, _TENTHS, (0.0, 1.0), percent=True)


def _equity_chart(found: RecordBacktest) -> Chart | None:
    """Return the equity by day, None without a trade."""
    if not found.followed.trades:
        return None
    title = (
        f"Equity by day from following the signals, from 1 at the start to {found.equity[-1]:.2f}"
    )
    return Chart(title, found.dates, (Line("market", found.equity),))
