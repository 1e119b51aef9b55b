"""Quality checks of whole days of prices.

`check_measures` and `check_days` compare the `measures` of days with thresholds. A day that fails
stops the pipeline. Single rows are checked first, by `rows`; sets and printings by `groups`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Self

import pyarrow as pa

from pokewatch.checks import Check, failures
from pokewatch.errors import QualityError
from pokewatch.market.completion import games_of_day, of_games
from pokewatch.market.lake import Lake
from pokewatch.market.quality.measures import (
    MEASURED,
    DayMeasures,
    joined,
    measure_day,
    nearest_day,
    numbered,
    unusable,
)
from pokewatch.settings import QualitySettings

QUARANTINE = "quarantine"  # name of a check
_TOGETHER = 4  # days whose card ids are compared at once; more take more memory


@dataclass(frozen=True, slots=True)
class QualityThresholds:
    """Limits of a good day. Shares are of 1; `max_price` is in the currency of the price."""

    max_price: float = 1_000_000.0
    min_coverage: float = 0.9
    max_jumps: float = 0.01
    max_unchanged: float = 0.98
    max_quarantine: float = 0.02
    min_cards: int = 100
    max_level: float = 1.5
    min_refreshed: float = 0.99
    max_same_factor: float = 0.4

    @classmethod
    def of(cls, settings: QualitySettings, source: str) -> Self:
        """Return the thresholds for `source`; a user-supplied file may have gaps and repeats."""
        own = source == "file"
        coverage, unchanged = settings.quality_min_coverage, settings.quality_max_unchanged
        return cls(
            max_price=settings.quality_max_price,
            min_coverage=coverage if coverage is not None else (0.0 if own else 0.9),
            max_jumps=settings.quality_max_jumps,
            max_unchanged=unchanged if unchanged is not None else (1.0 if own else 0.98),
            max_quarantine=settings.quality_max_quarantine,
            min_cards=settings.quality_min_cards,
            max_level=settings.quality_max_level,
            min_refreshed=0.0 if own else 0.99,
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    measure: Callable[[DayMeasures], float | None]
    limit: Callable[[QualityThresholds], float]
    why: str
    least: bool = False  # the limit is the least allowed, else the most
    share: bool = False
    factor: bool = False

    def text(self, value: float) -> str:
        if self.factor:
            return f"a factor of {value:,.4g}"
        return f"{value:.1%}" if self.share else f"{value:,.0f}"


_RULES = (
    _Rule("prices", lambda m: m.prices, lambda _: 1, "rows with a market price", least=True),
    _Rule("schema", lambda m: m.malformed, lambda _: 0, "rows without a valid card_id or currency"),
    _Rule(
        "positivity",
        lambda m: m.not_positive,
        lambda _: 0,
        "rows with a price that is too high or not positive",
    ),
    _Rule("duplicates", lambda m: m.duplicates, lambda _: 0, "repeated rows of a card"),
    _Rule(
        "future_dates", lambda m: m.days_ahead, lambda _: 0, "days that the date is ahead of today"
    ),
    _Rule(
        "currencies",
        lambda m: m.currencies,
        lambda _: 1,
        "currencies of the prices; different ones cannot be compared",
    ),
    _Rule(
        QUARANTINE,
        lambda m: m.quarantined,
        lambda t: t.max_quarantine,
        "share of rows that are unusable; POKEWATCH_QUALITY_MAX_QUARANTINE",
        share=True,
    ),
    _Rule(
        "coverage",
        lambda m: m.coverage,
        lambda t: t.min_coverage,
        "share of the cards priced on the last day before that still have a price; "
        "POKEWATCH_QUALITY_MIN_COVERAGE",
        least=True,
        share=True,
    ),
    _Rule(
        "refresh",
        lambda m: m.refreshed,
        lambda t: t.min_refreshed,
        "share of the cards with a price on that day in the lake that still have one",
        least=True,
        share=True,
    ),
    _Rule(
        "jumps",
        lambda m: m.jumps,
        lambda t: t.max_jumps,
        "share of prices that changed fivefold within a day; POKEWATCH_QUALITY_MAX_JUMPS",
        share=True,
    ),
    _Rule(
        "staleness",
        lambda m: m.unchanged,
        lambda t: t.max_unchanged,
        "share of prices that equal those of the last day before; POKEWATCH_QUALITY_MAX_UNCHANGED",
        share=True,
    ),
    _Rule(
        "level",
        lambda m: m.level,
        lambda t: t.max_level,
        "median change of a price since the nearest day, up or down; a large one is another "
        "currency or scale; "
        "POKEWATCH_QUALITY_MAX_LEVEL",
        factor=True,
    ),
    _Rule(
        "scale",
        lambda m: m.same_factor,
        lambda t: t.max_same_factor,
        "share of prices that changed by one and the same factor, as in another currency or scale",
        share=True,
    ),
)


def measure(
    prices: pa.Table,
    day: date,
    other: pa.Table | None,
    rejected: int,
    today: date,
    thresholds: QualityThresholds,
    replaced: pa.Table | None = None,
) -> DayMeasures:
    """Measure a day with the sizes of `thresholds`."""
    max_price, min_cards = thresholds.max_price, thresholds.min_cards
    return measure_day(prices, day, other, rejected, today, max_price, min_cards, replaced)


def check_measures(measures: Sequence[DayMeasures], thresholds: QualityThresholds) -> list[Check]:
    """Return one check for each rule: its worst day against the threshold."""
    return [_check(rule, rule.limit(thresholds), measures) for rule in _RULES]


def check_days(
    lake: Lake, days: Iterable[date], thresholds: QualityThresholds, today: date
) -> list[Check]:
    """Return the checks of `days` of the lake, each compared with the nearest day of the lake.

    Games that a day was not collected of do not count. Raise LakeError for a day that the lake
    does not have.
    """
    lake_days, ordered = lake.days(), sorted(days)
    measures: list[DayMeasures] = []
    for first in range(0, len(ordered), _TOGETHER):
        nearest = {day: nearest_day(day, lake_days) for day in ordered[first : first + _TOGETHER]}
        measures += _measured(lake, nearest, thresholds, today)
    return check_measures(measures, thresholds)


def held_days(
    prices: pa.Table, rejected: Mapping[date, int], thresholds: QualityThresholds, today: date
) -> dict[date, tuple[Check, ...]]:
    """Return the days that a collection of them into an empty lake holds back, with all checks.

    `prices` are sorted by date; `rejected` counts the rows of each day that are errors.
    """
    held: dict[date, tuple[Check, ...]] = {}
    last: pa.Table | None = None
    for day, table in _by_day(prices):
        count = rejected.get(day, 0)
        checks = check_measures([measure(table, day, last, count, today, thresholds)], thresholds)
        if failures(checks):
            held[day] = tuple(checks)
        else:
            last = table
    return held


def _by_day(prices: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    start = 0
    for each in prices["date"].value_counts().to_pylist():
        yield each["values"], prices.slice(start, each["counts"])
        start += each["counts"]


def _measured(
    lake: Lake,
    nearest: Mapping[date, date | None],
    thresholds: QualityThresholds,
    today: date,
) -> Iterator[DayMeasures]:
    """Yield the measures of days, in order, each compared with its nearest one."""
    ids = _card_ids(lake, {*nearest, *filter(None, nearest.values())})
    last: tuple[date, pa.Table] | None = None
    for day, other in nearest.items():
        if last is None or last[0] != other:
            last = (other, _prices(lake, other, ids)) if other else None
        prices = _prices(lake, day, ids)
        rejected = unusable(lake.quarantined(day))
        compared = _of_games(lake, last, lake.games(day)) if last else None
        yield measure(prices, day, compared, rejected, today, thresholds)
        last = (day, prices)


def _card_ids(lake: Lake, days: Iterable[date]) -> dict[date, pa.Table]:
    ordered = sorted(days)
    found = numbered([lake.day(day, ["card_id"])["card_id"] for day in ordered])
    return dict(zip(ordered, found, strict=True))


def _prices(lake: Lake, day: date, ids: Mapping[date, pa.Table]) -> pa.Table:
    return joined(lake.day(day, MEASURED[1:]), ids[day])


def _of_games(lake: Lake, other: tuple[date, pa.Table], games: Sequence[str]) -> pa.Table | None:
    """Return the prices of `games` on the other day, None if it has none of them."""
    day, prices = other
    present = lake.games(day)
    if not games or (present and set(present) <= set(games)) or not lake.has_catalog():
        return prices
    prices, left_out = of_games(prices, lake, games_of_day(lake, day, lake.catalog()), games)
    return prices if prices.num_rows or not left_out else None


def require(checks: Iterable[Check]) -> None:
    """Raise QualityError naming each failed check and its figures."""
    failed = failures(checks)
    if failed:
        raise QualityError(failed)


def _check(rule: _Rule, limit: float, measures: Sequence[DayMeasures]) -> Check:
    threshold = f"at {'least' if rule.least else 'most'} {rule.text(limit)}"
    found = [(value, each.day) for each in measures if (value := rule.measure(each)) is not None]
    if not found:
        actual = "not measured, too little to compare"
        return Check(rule.name, threshold, actual, bool(measures), rule.why, judged=False)
    value, day = min(found) if rule.least else max(found)
    usual = f", usually {rule.text(median(value for value, _ in found))}" if len(found) > 1 else ""
    return Check(
        rule.name,
        threshold,
        f"{rule.text(value)} on {day}{usual}",
        value >= limit if rule.least else value <= limit,
        rule.why,
    )
