"""Cases of rules, and the synthetic series that they are of."""

from dataclasses import dataclass, field

HOURS, TENS = 60, 10  # minutes between two samples where a minute would be many
MARKET = {"market": "simulated-0"}
Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One case. `labels` are those of the series that the alert carries, None if it must not fire.

    `value` is the value in the description. Samples and evaluations are `step` minutes apart; `at`
    is the number of the sample at which the alert is evaluated.
    """

    alert: str
    name: str
    series: Series
    at: int
    labels: dict[str, str] | None = None
    value: str = ""
    step: int = 1


@dataclass(frozen=True)
class Record:
    """What a recording rule must come to at the sample number `at`: {labels: value}."""

    name: str
    series: Series
    at: int
    samples: dict[str, float] = field(default_factory=dict)
    step: int = 1


def requests(good: int, bad: int, samples: int, route: str = "/fair_price") -> Series:
    """So many answers with 200, and with 503, from sample to sample."""
    labels = f'job="gateway",instance="g1",method="POST",route="{route}"'
    name = "pokewatch_gateway_requests_total"
    return {
        f'{name}{{{labels},status="200"}}': f"0+{good}x{samples}",
        f'{name}{{{labels},status="503"}}': f"0+{bad}x{samples}",
    }


def times(fast: int, slow: int, samples: int, route: str = "/fair_price") -> Series:
    """So many requests within 150 ms, and beyond, from sample to sample."""
    labels = f'job="gateway",instance="g1",route="{route}"'
    name = "pokewatch_gateway_request_seconds"
    return {
        f'{name}_bucket{{{labels},le="0.15"}}': f"0+{fast}x{samples}",
        f"{name}_count{{{labels}}}": f"0+{fast + slow}x{samples}",
    }


def after(series: Series, calm: Series) -> Series:
    """Return `series`, each followed by that of `calm` from 0 on: a counter that was reset."""
    return {name: f"{first} {calm[name]}" for name, first in series.items()}


def up(**jobs: str) -> Series:
    return {f'up{{job="{job}",instance="{job[0]}1"}}': values for job, values in jobs.items()}


def mlserver(name: str, values: str, instance: str = "m1", **labels: str) -> Series:
    if name not in ("pokewatch_book_loads_total", "pokewatch_runtime_start_time_seconds"):
        labels = MARKET | labels
    more = "".join(f',{label}="{value}"' for label, value in labels.items())
    return {f'{name}{{job="mlserver",instance="{instance}"{more}}}': values}


def canary_stops(values: str) -> Series:
    labels = 'job="gateway",instance="g1",market="simulated-0",check="errors"'
    return {f"pokewatch_gateway_canary_stops_total{{{labels}}}": values}


def served(**models: str) -> Series:
    """Which model each instance serves, for 30 minutes."""
    return {
        name: "1x30"
        for instance, version in models.items()
        for name in mlserver(
            "pokewatch_model_info", "", instance, model_version=version, data_version="d"
        )
    }


def served_b(version: str) -> Series:
    labels = {"market": "b", "model_version": version, "data_version": "e"}
    return mlserver("pokewatch_model_info", "1x30", **labels)


def look_back(metric: str, values: str) -> Series:
    return mlserver("pokewatch_monitoring", values, metric=metric)


def covered(low: float, high: float, n: int = 500) -> Series:
    """A measured coverage halfway between the ends of its own interval."""
    figures = {"": (low + high) / 2, "_low": low, "_high": high, "_n": n}
    figures |= {"_renewed_low": low, "_renewed_n": n}
    found: Series = {}
    for ending, value in figures.items():
        found |= look_back(f"interval_coverage{ending}", f"{value:g}x120")
    return found


def evaluated_coverage(low: float, high: float, enough: int = 1) -> Series:
    found = evaluated("coverage_90", (low + high) / 2, enough)
    ends = evaluated("renewed_coverage_90_low", low) | evaluated("coverage_90_high", high)
    return ends | found


def evaluated(metric: str, value: float, enough: int = 1) -> Series:
    found = mlserver("pokewatch_evaluation", f"{value}x120", metric=metric)
    return found | mlserver("pokewatch_evaluation", f"{enough}x120", metric="enough_origins")


def breaker(values: str) -> Series:
    return {
        'pokewatch_gateway_upstream_state{job="gateway",instance="g1",upstream="decision"}': values
    }


def answers(before: tuple[int, int, int], after: tuple[int, int, int], market: str = "") -> Series:
    """BUY, SELL and HOLD in an hour each, for a week and then for seven hours."""
    name = "pokewatch_gateway_predictions_total"
    labels = f'job="gateway",instance="g1",market="{market}"'
    return {
        f'{name}{{{labels},signal="{signal}"}}': (f"0+{old}x168 {old * 168}+{new}x7")
        for signal, old, new in zip(("BUY", "SELL", "HOLD"), before, after, strict=True)
    }


def mix(before: float, hours: int, after: float, hours_after: int) -> Series:
    """The share of BUY in the book, with as many answers an hour as give the same share."""
    shares = mlserver(
        "pokewatch_book_signal_ratio", f"{before}x{hours} {after}x{hours_after}", signal="BUY"
    )
    name = "pokewatch_gateway_predictions_total"
    for signal, old, new in (("BUY", before, after), ("HOLD", 1 - before, 1 - after)):
        rates = round(old * 1000), round(new * 1000)
        shares[f'{name}{{job="gateway",instance="g1",signal="{signal}"}}'] = (
            f"0+{rates[0]}x{hours} {rates[0] * hours}+{rates[1]}x{hours_after}"
        )
    return shares


def burning(alert: str, budget: float, long: int, short: int, step: int) -> tuple[Case, ...]:
    """Cases of a burn rate: its budget, its windows of `long` and `short` samples, 10 requests."""
    of, labels = (requests, FAST) if alert.startswith("Avail") else (times, SLOW)
    bad, half = min(9500, round(30_000 * budget)), round(5000 * budget)
    one = of(0, 1, 12)
    again = {
        name: values if "+0x" in values else f"0+1x6 6x{long + 5} 7+1x4"
        for name, values in of(0, 1, long + 17).items()
    }
    return (
        Case(
            alert,
            "half the budget's pace by now, after more than all of it",
            after(of(10_000 - bad, bad, long - short - 2), of(10_000 - half, half, short + 2)),
            long + 1,
            step=step,
        ),
        Case(alert, "a dozen requests in all, none good", one, 12, labels, "100%", step),
        Case(alert, "half a dozen requests in all, none good", of(0, 1, 5), 5, step=step),
        Case(alert, "half a dozen requests now, and as many long ago", again, long + 17, step=step),
        Case(
            alert,
            "none is good, after many that were",
            after(of(100, 0, 2 * long), of(0, 1, long)),
            3 * long + 1,
            labels,
            "100%",
            step,
        ),
    )


FAST = {"objective": "availability"}
SLOW = {"objective": "latency"}
