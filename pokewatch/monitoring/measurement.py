"""One day's measurement: calibration of past forecasts, drift of incoming prices, and checks.

A failed check is a reason to retrain. Where the market itself has changed, the models must also
stop using older days: the registry stores the first day of the change, the pipeline makes it part
of its data version, and models are trained on the days since, as soon as there are enough. Prices
that stand still or are missing are a fault of the data: retraining would not help, and people are
only notified.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from pokewatch.checks import Check
from pokewatch.errors import SettingsError
from pokewatch.monitoring.calibration import (
    Calibration,
    IntervalCoverage,
    calibrate,
    forecasts_on,
    interval_coverage,
)
from pokewatch.monitoring.drift import MIN_REFERENCE, RUN, WEEK, WHY, Shift, measure_drift
from pokewatch.registry import RegisteredModel, Registry
from pokewatch.settings import MonitorSettings
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import MIN_TRAINING_DAYS
from pokewatch.wording import counted, pipeline_command

LONG_LAG = 30
SHOWN_DAYS = 28
COVERAGE_PERIODS = 4  # the coverage of the interval is judged over so many horizons, or SHOWN_DAYS
_SCORES = ("coverage_90", "rmae_last", "bias", "mape", "coverage_rate")
_DATA_FAULTS = ("unchanged", "coverage", "set unchanged")


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measurement as of the last day of prices.

    `days` and `degrees` are the drift of the last weeks, and `covered` the coverage of the
    interval.
    """

    measured_on: date
    version: str
    horizon: int
    calibrations: tuple[Calibration, ...]
    shifts: tuple[Shift, ...]
    checks: tuple[Check, ...]
    days: tuple[date, ...]
    degrees: tuple[float, ...]
    covered: IntervalCoverage

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]

    def figures(self) -> dict[str, float]:
        """Return all figures by name; of another lag than the horizon with a suffix, `_30d`."""
        found: dict[str, float] = {}
        for each in self.calibrations:
            ending = "" if each.lag == self.horizon else f"_{each.lag}d"
            values = {name: each.scores[name] for name in ("n", *_SCORES)} | {
                "reliability_gap": each.reliability_gap
            }
            found |= {
                f"{name}{ending}": float(value)
                for name, value in values.items()
                if value is not None
            }
        for shift in self.shifts:
            found[f"drift_{shift.name.replace(' ', '_')}"] = shift.degree
        share = self.covered.share
        if share is not None:
            found |= {
                "interval_coverage": share.value,
                "interval_coverage_low": self.covered.ends[0],
                "interval_coverage_high": self.covered.ends[1],
                "interval_coverage_n": float(sum(self.covered.judged)),
                "interval_coverage_renewed_low": self.covered.renewed_ends[0],
                "interval_coverage_renewed_n": float(self.covered.renewed),
            }
        return found | (
            {"drift": max(shift.degree for shift in self.shifts)} if self.shifts else {}
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "figures": self.figures(),
            "calibrations": [each.to_dict() for each in self.calibrations],
            "interval_coverage": self.covered.to_dict(),
            "shifts": [each.to_dict() for each in self.shifts],
            "failed": [check.name for check in self.failed],
        }

    def changed_since(self, limit: float) -> date | None:
        """Return the first day of a changed market.

        None where the models still describe it, or where the data is at fault.
        """
        names = {check.name for check in self.failed}
        if not names or names & {f"drift of {name}" for name in _DATA_FAULTS}:
            return None
        quiet = [day for day, degree in zip(self.days, self.degrees, strict=True) if degree < limit]
        if self.degrees and self.degrees[-1] >= limit:
            noticed = quiet[-1] + timedelta(days=1) if quiet else self.days[0]
            return noticed - timedelta(days=RUN - 1)
        return next((each.made_on for each in self.calibrations if each.lag == self.horizon), None)


def require_market(market: str, champion: RegisteredModel, book: PriceBook) -> None:
    """Raise SettingsError where the prices to compare with are of another market than the book."""
    if market != book.facts.market:
        run = pipeline_command("", book.facts.market, "monitor")
        raise SettingsError(
            f"these options are of the market {market}, and the champion, version "
            f"{champion.version}, is of {book.facts.market}; use the options of the pipeline's run "
            f"({run})"
        )


def measure(
    panel: Panel,
    champion: RegisteredModel,
    book: PriceBook,
    registry: Registry,
    settings: MonitorSettings,
) -> Measurement:
    """Measure as of the panel's last day, using only forecasts made at the time."""
    horizon, today = book.facts.horizon, panel.dates[-1].item()
    lags = dict.fromkeys((horizon, LONG_LAG))
    past = [
        (lag, forecasts_on(registry, today - timedelta(days=lag), champion, book)) for lag in lags
    ]
    calibrations = [found for lag, each in past if each and (found := calibrate(panel, each, lag))]
    shown = range(max(0, panel.days - SHOWN_DAYS), panel.days)
    by_day = [measure_drift(panel, day) for day in shown]
    made_on = [
        day
        for day in panel.dates[:-horizon].tolist()[-max(SHOWN_DAYS, COVERAGE_PERIODS * horizon) :]
        if book.first_day <= day <= book.last_day
    ]
    covered = interval_coverage(panel, book, horizon, made_on)
    return Measurement(
        measured_on=today,
        version=champion.version,
        horizon=horizon,
        calibrations=tuple(calibrations),
        shifts=tuple(by_day[-1]),
        checks=(
            *coverage_checks(covered, settings),
            *_checks(calibrations, by_day[-1], horizon, settings),
            *_unjudged(panel.days, calibrations, by_day[-1], horizon),
        ),
        days=tuple(panel.dates[shown.start :].tolist()),
        degrees=tuple(max((shift.degree for shift in shifts), default=0.0) for shifts in by_day),
        covered=covered,
    )


def first_training_day(changed: date, horizon: int) -> date:
    """Return the first day on which models can be trained on a market that changed on `changed`."""
    return changed + timedelta(days=horizon + MIN_TRAINING_DAYS - 1)


def retraining_due(
    today: date, last: date | None, cooldown: int, outdated: bool, trainable_on: date | None
) -> bool:
    """Return whether to retrain outdated models: the last time is `cooldown` days ago or more.

    Also due once models can be trained on a changed market, if they have not been since.
    """
    if trainable_on is not None and trainable_on <= today and (last is None or last < trainable_on):
        return True
    return outdated and (last is None or today - last >= timedelta(days=cooldown))


def _checks(
    calibrations: Sequence[Calibration],
    shifts: Sequence[Shift],
    horizon: int,
    settings: MonitorSettings,
) -> list[Check]:
    found = [
        check
        for each in calibrations
        if each.lag == horizon
        for check in _calibration_checks(each, settings)
    ]
    limit = settings.monitor_drift
    for shift in shifts:
        actual = f"{shift.effect:.3f}" + (f" in {shift.set_id}" if shift.set_id else "")
        found.append(
            Check(
                f"drift of {shift.name}",
                f"< {limit * shift.limit:.3g}",
                actual,
                shift.degree < limit,
                WHY[shift.name],
            )
        )
    return found


def _unjudged(
    days: int, calibrations: Sequence[Calibration], shifts: Sequence[Shift], horizon: int
) -> Iterator[Check]:
    """Yield a row for each part that cannot be measured yet."""
    found = f"not measured yet: {counted(days, 'day')} of prices"
    if not any(each.lag == horizon for each in calibrations):
        wanted = f"prices {counted(horizon, 'day')} after a forecast"
        why = "no forecast of the model, or of one before it, has its outcome yet"
        yield Check("calibration", wanted, found, True, why, judged=False)
    if not shifts:
        wanted = f"{WEEK + MIN_REFERENCE + 1} days of prices"
        why = "the days before them that incoming prices are compared with are too few"
        yield Check("drift", wanted, found, True, why, judged=False)


def coverage_checks(covered: IntervalCoverage, settings: MonitorSettings) -> list[Check]:
    """Return the check of the coverage: it fails where its whole 95% interval is out of bounds.

    The upper bound applies to renewed prices: the others are inside any interval with the last one.
    """
    low, high = settings.monitor_coverage_low, settings.monitor_coverage_high
    share, n = covered.share, sum(covered.judged)
    if share is None:
        return []
    why = (
        "share of the realised prices inside the 90% interval, with its own 95% interval: "
        f"{n} card-days, {share.windows:.1f} independent periods; it fails where all of that "
        "interval is out of bounds"
    )
    (least, most), (renewed_least, _) = covered.ends, covered.renewed_ends
    wanted, passed = f"{low:g} to {high:g}", most >= low and least <= high
    if least > high:
        why += f"; the upper bound applies to the {covered.renewed:,} renewed prices"
        if covered.renewed < settings.monitor_rows or renewed_least <= high:
            wanted, passed = f">= {low:g}", True
    if n < settings.monitor_rows:
        passed, why = True, f"{why}; too few to judge"
    actual = f"{share.value:.3f} [{least:.3f}, {most:.3f}]"
    return [Check("coverage_90", wanted, actual, passed, why)]


def _calibration_checks(judged: Calibration, settings: MonitorSettings) -> list[Check]:
    scores: Mapping[str, float | None] = {**judged.scores, "reliability": judged.reliability_gap}
    rules = (
        (
            "rmae_last",
            f"<= {settings.monitor_rmae:g}",
            0.0,
            settings.monitor_rmae,
            "error relative to that of the last price",
        ),
        (
            "bias",
            f"within {settings.monitor_bias:g}",
            -settings.monitor_bias,
            settings.monitor_bias,
            "mean of log fair price less log price",
        ),
        (
            "reliability",
            f"<= {settings.monitor_reliability:g}",
            0.0,
            settings.monitor_reliability,
            "mean gap between confidence and the share that came true",
        ),
    )
    checks = [
        _within(name, wanted, scores[name], least, most, why)
        for name, wanted, least, most, why in rules
    ]
    n = judged.scores["n"]
    if n >= settings.monitor_rows:
        return checks
    return [
        replace(
            check, passed=True, judged=False, why=f"{check.why}; {n} card-days are too few to judge"
        )
        for check in checks
    ]


def _within(
    name: str, wanted: str, value: float | None, least: float, most: float, why: str
) -> Check:
    if value is None:
        return Check(name, wanted, "not measured", True, why, judged=False)
    return Check(name, wanted, f"{value:.3f}", least <= value <= most, why)
