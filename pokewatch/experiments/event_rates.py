"""Rates of what callers did in each arm of an experiment, from the gateway's event log.

Events of one session depend on each other, and so do the sessions of a caller who comes back, which
the log does not tell from those of another caller. What is known is a least number of callers: in
one process and on one day each caller has one session. A rate r = sum y_i / sum n_i over the
sessions i = 1..s therefore gets the variance of its sessions as clusters,

    v = s / (s - 1) * sum (y_i - r n_i)^2 / (sum n_i)^2 * s / m,

multiplied as if all sessions were those of only m callers, the most sessions of any process and
day. The interval is Wilson's for n = r (1 - r) / v independent events, where n is at most the
number of events, is m where r is 0 or 1, and shrinks by (z / t)^2 for m - 1 degrees of freedom. See
Korn and Graubard, "Confidence intervals for proportions with small expected number of positive
counts estimated from survey data", Survey Methodology 24, 1998, who have Clopper and Pearson's.

It is the interval of one look at the end of an experiment. Looked at every day, some day's interval
misses more often.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray
from scipy import stats

from pokewatch.contract import (
    CHALLENGER_ARM,
    CHAMPION_ARM,
    EVENT_PROCESS_DIGITS,
    EXPOSURE,
    OUTCOME,
)
from pokewatch.errors import ExperimentError
from pokewatch.valuation.panel import Floats

Ints = NDArray[np.int64]

_LEVEL = 0.95
_SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("kind", pa.string()),
        ("market", pa.string()),
        ("experiment", pa.string()),
        ("arm", pa.string()),
        ("session", pa.string()),
        ("signal", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class EstimatedRate:
    """A share of `n`, and its 95% interval, None where nothing can be said."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ArmRates:
    """The events of an arm.

    `judging` is the share of the sessions with an exposure in which a price was judged too,
    `buy_shown` that of BUY in the exposures, and `buy_judged` that of BUY in the outcomes.
    """

    arm: str
    sessions: int
    callers: int  # at least
    exposures: int
    outcomes: int
    judging: EstimatedRate
    buy_shown: EstimatedRate
    buy_judged: EstimatedRate


@dataclass(frozen=True, slots=True)
class EventRates:
    """The arms of an experiment, and the challenger's rates less the champion's.

    Experiments are numbered in each market, so that those of two may have one name.
    """

    market: str
    experiment: str
    first_day: date
    last_day: date
    events: int
    arms: tuple[ArmRates, ...]
    differences: Mapping[str, EstimatedRate]

    def to_dict(self) -> dict[str, Any]:
        """Return the rates as plain JSON."""
        days = {"first_day": self.first_day.isoformat(), "last_day": self.last_day.isoformat()}
        return asdict(self) | days


RATES = ("judging", "buy_shown", "buy_judged")


def event_rates(folder: Path) -> list[EventRates]:
    """Return the rates of each experiment in an event log, that of the newest events first.

    Raise ExperimentError if the log cannot be read.
    """
    sessions = _sessions(folder)
    names = sessions.group_by(["market", "experiment"]).aggregate([]).to_pylist()
    found = [_of_experiment(**each, sessions=sessions) for each in names]
    found.sort(key=lambda each: (each.last_day, each.experiment, each.market), reverse=True)
    return found


def _sessions(folder: Path) -> pa.Table:
    """Return the counts of each session."""
    files = sorted(map(str, folder.rglob("*.parquet")))
    try:
        table = ds.dataset(files, schema=_SCHEMA, format="parquet").to_table()
    except (pa.ArrowException, OSError) as error:
        raise ExperimentError(f"the event log {folder} cannot be read: {error}") from error
    shown, judged = (pc.equal(table["kind"], kind) for kind in (EXPOSURE, OUTCOME))
    buy = pc.equal(table["signal"], "BUY")
    flags = {
        "shown": shown,
        "shown_buy": pc.and_(shown, buy),
        "judged": judged,
        "judged_buy": pc.and_(judged, buy),
    }
    for name, values in flags.items():
        table = table.append_column(name, pc.cast(values, pa.int64()))
    sums = [(name, "sum") for name in flags]
    return table.group_by(["market", "experiment", "arm", "day", "session"]).aggregate(sums)


def _of_experiment(market: str, experiment: str, sessions: pa.Table) -> EventRates:
    of_market = sessions.filter(pc.equal(sessions["market"], market))
    own = of_market.filter(pc.equal(of_market["experiment"], experiment))
    arms = {
        each: _of_arm(each, own.filter(pc.equal(own["arm"], each)))
        for each in (CHAMPION_ARM, CHALLENGER_ARM)
    }
    present = tuple(each for each in arms.values() if each.sessions)
    differences = {
        rate: _difference(getattr(arms[CHAMPION_ARM], rate), getattr(arms[CHALLENGER_ARM], rate))
        for rate in RATES
    }
    days = pc.min_max(own["day"]).as_py()
    events = sum(each.exposures + each.outcomes for each in present)
    return EventRates(market, experiment, days["min"], days["max"], events, present, differences)


def _of_arm(arm: str, sessions: pa.Table) -> ArmRates:
    shown, shown_buy, judged, judged_buy = (
        sessions[f"{name}_sum"].to_numpy()
        for name in ("shown", "shown_buy", "judged", "judged_buy")
    )
    exposed = shown > 0
    callers = _least_callers(sessions)
    return ArmRates(
        arm,
        sessions.num_rows,
        callers,
        int(shown.sum()),
        int(judged.sum()),
        rate_of((judged > 0)[exposed].astype(np.int64), np.ones(exposed.sum(), np.int64), callers),
        rate_of(shown_buy, shown, callers),
        rate_of(judged_buy, judged, callers),
    )


def _least_callers(sessions: pa.Table) -> int:
    """Return the most sessions of any process and day."""
    processes = pc.utf8_slice_codeunits(sessions["session"], 0, EVENT_PROCESS_DIGITS)
    counts = sessions.append_column("process", processes).group_by(["day", "process"])
    return pc.max(counts.aggregate([([], "count_all")])["count_all"]).as_py() or 0


def rate_of(successes: Ints, events: Ints, callers: int) -> EstimatedRate:
    """Return the rate of sessions [s] with so many `successes` and `events`.

    There are at least so many `callers`: with fewer than two there is no interval.
    """
    n = int(events.sum())
    if not n:
        return EstimatedRate(0)
    value = float(successes.sum() / n)
    clusters = int((events > 0).sum())
    least = min(callers, clusters)
    if least < 2:
        return EstimatedRate(n, value)
    return EstimatedRate(
        n, value, *_wilson(value, _effective(successes, events, value, clusters, least))
    )


def _effective(successes: Ints, events: Ints, value: float, clusters: int, callers: int) -> float:
    """Return the number of independent events that tell as much."""
    residuals: Floats = successes - value * events
    variance = clusters / (clusters - 1) * float(residuals @ residuals) / float(events.sum()) ** 2
    variance *= clusters / callers
    spread = value * (1 - value)
    effective = min(spread / variance, float(events.sum())) if variance and spread else callers
    return effective * (_z() / float(stats.t.ppf((1 + _LEVEL) / 2, callers - 1))) ** 2


def _wilson(value: float, n: float) -> tuple[float, float]:
    """Return the ends of Wilson's score interval of a share of n events."""
    z = _z()
    centre = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)


def _z() -> float:
    return float(stats.norm.ppf((1 + _LEVEL) / 2))


def _difference(champion: EstimatedRate, challenger: EstimatedRate) -> EstimatedRate:
    """Return the difference of two independent rates, with the interval of Newcombe (1998)."""
    n = champion.n + challenger.n
    if champion.value is None or challenger.value is None:
        return EstimatedRate(n)
    value = challenger.value - champion.value
    ends = (champion.low, champion.high, challenger.low, challenger.high)
    if any(each is None for each in ends):
        return EstimatedRate(n, value)
    low, high, other_low, other_high = ends
    below = np.hypot(challenger.value - other_low, high - champion.value)  # type: ignore[operator]
    above = np.hypot(other_high - challenger.value, champion.value - low)  # type: ignore[operator]
    return EstimatedRate(n, value, float(value - below), float(value + above))
