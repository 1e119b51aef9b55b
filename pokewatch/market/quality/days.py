"""Quality checks of whole days of prices.

`measure_day` measures a day on its own and against the day before; `check_measures` and
`check_days` compare the measures with thresholds. A day that fails stops the pipeline. Single rows
are checked first, by `rows`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.checks import Check, failures
from pokewatch.errors import QualityError
from pokewatch.market.lake import Lake
from pokewatch.market.prices import CARD_ID_PATTERN, CURRENCIES, PRICE_COLUMNS
from pokewatch.settings import QualitySettings

JUMP = 5.0  # the factor of a jump; on a real day fewer than 1 price in 1,000 changes even twofold
_SMALL_DAY_REJECTED = 0.25  # share of the rows of a day of few cards that may be rejected
_COMPARED_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class QualityThresholds:
    """Limits of a good day. Shares are of 1; `max_price` is in the currency of the price."""

    max_price: float = 1_000_000.0
    min_coverage: float = 0.9
    max_jumps: float = 0.01
    max_unchanged: float = 0.98
    max_quarantine: float = 0.02
    min_cards: int = 100

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
        )


@dataclass(frozen=True, slots=True)
class DayMeasures:
    """Measures of one day. A share is None if there is too little to compare with."""

    day: date
    prices: int  # rows with a market price
    malformed: int
    not_positive: int
    duplicates: int
    days_ahead: int
    currencies: int
    quarantined: float | None
    coverage: float | None = None
    jumps: float | None = None
    unchanged: float | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    measure: Callable[[DayMeasures], float | None]
    limit: Callable[[QualityThresholds], float]
    why: str
    least: bool = False  # the limit is the least allowed, else the most
    share: bool = False

    def text(self, value: float) -> str:
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
        "quarantine",
        lambda m: m.quarantined,
        lambda t: t.max_quarantine,
        "share of rows that are unusable; POKEWATCH_QUALITY_MAX_QUARANTINE",
        share=True,
    ),
    _Rule(
        "coverage",
        lambda m: m.coverage,
        lambda t: t.min_coverage,
        "share of the cards priced the day before that still have a price; "
        "POKEWATCH_QUALITY_MIN_COVERAGE",
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
        "share of prices that equal those of the day before; POKEWATCH_QUALITY_MAX_UNCHANGED",
        share=True,
    ),
)


def measure_day(
    prices: pa.Table,
    day: date,
    previous: pa.Table | None,
    rejected: int,
    today: date,
    thresholds: QualityThresholds,
) -> DayMeasures:
    """Measure the rows of a day, without its `rejected` ones, also against an earlier day's."""
    ids, currencies = prices["card_id"], prices["currency"]
    if previous is not None:
        currencies = pa.chunked_array([*currencies.chunks, *previous["currency"].chunks])
    return DayMeasures(
        day=day,
        prices=_priced(prices).num_rows,
        malformed=_count(pc.invert(_well_formed(prices))),
        not_positive=_count(_out_of_range(prices, thresholds.max_price)),
        duplicates=prices.num_rows - pc.count_distinct(ids).as_py(),
        days_ahead=max(0, (day - today).days),
        currencies=pc.count_distinct(currencies).as_py(),
        quarantined=_quarantined(prices.num_rows, rejected, thresholds.min_cards),
        **(_compared(prices, previous, thresholds.min_cards) if previous is not None else {}),
    )


def check_measures(measures: Sequence[DayMeasures], thresholds: QualityThresholds) -> list[Check]:
    """Return one check for each rule: its worst day against the threshold."""
    return [_check(rule, rule.limit(thresholds), measures) for rule in _RULES]


def check_days(
    lake: Lake, days: Iterable[date], thresholds: QualityThresholds, today: date
) -> list[Check]:
    """Return the checks of `days` of the lake, each compared with the day before it in the lake.

    Raise LakeError for a day that the lake does not have.
    """
    lake_days = lake.days()
    measures = []
    last: tuple[date, pa.Table] | None = None
    for day in sorted(days):
        earlier = comparable(day, lake_days)
        if last is None or last[0] != earlier:
            last = (earlier, lake.day(earlier)) if earlier else None
        prices = lake.day(day)
        measures.append(
            measure_day(
                prices,
                day,
                last[1] if last else None,
                lake.quarantined(day).num_rows,
                today,
                thresholds,
            )
        )
        last = (day, prices)
    return check_measures(measures, thresholds)


def comparable(day: date, days: Iterable[date]) -> date | None:
    """Return the latest of `days` before `day` that is close enough to compare with."""
    return max((other for other in days if day - _COMPARED_WITHIN <= other < day), default=None)


def require(checks: Iterable[Check]) -> None:
    """Raise QualityError naming each failed check and its figures."""
    failed = failures(checks)
    if failed:
        raise QualityError(failed)


def _check(rule: _Rule, limit: float, measures: Sequence[DayMeasures]) -> Check:
    threshold = f"at {'least' if rule.least else 'most'} {rule.text(limit)}"
    found = [(value, each.day) for each in measures if (value := rule.measure(each)) is not None]
    if not found:
        return Check(
            rule.name, threshold, "not measured, too little to compare", bool(measures), rule.why
        )
    value, day = min(found) if rule.least else max(found)
    usual = f", usually {rule.text(median(value for value, _ in found))}" if len(found) > 1 else ""
    return Check(
        rule.name,
        threshold,
        f"{rule.text(value)} on {day}{usual}",
        value >= limit if rule.least else value <= limit,
        rule.why,
    )


def _quarantined(rows: int, rejected: int, min_cards: int) -> float | None:
    """Return the share of rejected rows; None for a few of them in a day of few cards."""
    share = rejected / max(1, rows + rejected)
    return None if rows + rejected < min_cards and share <= _SMALL_DAY_REJECTED else share


def _compared(prices: pa.Table, previous: pa.Table, min_cards: int) -> dict[str, float | None]:
    """Return coverage, jumps and unchanged, the last two only from `min_cards` cards on."""
    rows = pc.index_in(prices["card_id"], value_set=previous["card_id"].combine_chunks())
    now = prices["market_price"].to_numpy()
    before = previous["market_price"].take(rows).to_numpy()
    both = np.isfinite(now) & np.isfinite(before) & (now > 0) & (before > 0)
    coverage = float(both.sum() / max(1, _priced(previous).num_rows))
    if both.sum() < min_cards:
        return {"coverage": coverage}
    moves = np.abs(np.log(now[both] / before[both]))
    return {
        "coverage": coverage,
        "jumps": float(np.mean(moves >= np.log(JUMP))),
        "unchanged": float(np.mean(moves == 0)),
    }


def _priced(prices: pa.Table) -> pa.Table:
    return prices.filter(pc.is_valid(prices["market_price"]))


def _well_formed(prices: pa.Table) -> pa.ChunkedArray:
    ids = pc.fill_null(pc.match_substring_regex(prices["card_id"], CARD_ID_PATTERN), False)
    return pc.and_(ids, pc.is_in(prices["currency"], value_set=pa.array(CURRENCIES)))


def _out_of_range(prices: pa.Table, max_price: float) -> pa.ChunkedArray:
    bad = pa.scalar(False)
    for name in PRICE_COLUMNS:
        in_range = pc.and_(pc.greater(prices[name], 0), pc.less_equal(prices[name], max_price))
        bad = pc.or_(bad, pc.invert(pc.fill_null(in_range, True)))
    return bad


def _count(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)
