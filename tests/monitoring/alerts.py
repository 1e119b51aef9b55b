"""Cases of each rule on synthetic series: every alert fires in one and not in another."""

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


def _after(series: Series, calm: Series) -> Series:
    """Return `series`, each followed by that of `calm` from 0 on: a counter that was reset."""
    return {name: f"{first} {calm[name]}" for name, first in series.items()}


def up(**jobs: str) -> Series:
    return {f'up{{job="{job}",instance="{job[0]}1"}}': values for job, values in jobs.items()}


def mlserver(name: str, values: str, instance: str = "m1", **labels: str) -> Series:
    if name not in ("pokewatch_book_loads_total", "pokewatch_runtime_start_time_seconds"):
        labels = MARKET | labels
    more = "".join(f',{label}="{value}"' for label, value in labels.items())
    return {f'{name}{{job="mlserver",instance="{instance}"{more}}}': values}


def _canary_stops(values: str) -> Series:
    labels = 'job="gateway",instance="g1",market="simulated-0",check="errors"'
    return {f"pokewatch_gateway_canary_stops_total{{{labels}}}": values}


def _served(**models: str) -> Series:
    """Which model each instance serves, for 30 minutes."""
    return {
        name: "1x30"
        for instance, version in models.items()
        for name in mlserver(
            "pokewatch_model_info", "", instance, model_version=version, data_version="d"
        )
    }


def _served_b(version: str) -> Series:
    labels = {"market": "b", "model_version": version, "data_version": "e"}
    return mlserver("pokewatch_model_info", "1x30", **labels)


def _look_back(metric: str, values: str) -> Series:
    return mlserver("pokewatch_monitoring", values, metric=metric)


def _covered(low: float, high: float, n: int = 500) -> Series:
    """A measured coverage halfway between the ends of its own interval."""
    figures = {"": (low + high) / 2, "_low": low, "_high": high, "_n": n}
    found: Series = {}
    for ending, value in figures.items():
        found |= _look_back(f"interval_coverage{ending}", f"{value:g}x120")
    return found


def _evaluated_coverage(low: float, high: float, enough: int = 1) -> Series:
    found = _evaluated("coverage_90", (low + high) / 2, enough)
    ends = _evaluated("coverage_90_low", low) | _evaluated("coverage_90_high", high)
    return ends | found


def _evaluated(metric: str, value: float, enough: int = 1) -> Series:
    found = mlserver("pokewatch_evaluation", f"{value}x120", metric=metric)
    return found | mlserver("pokewatch_evaluation", f"{enough}x120", metric="enough_origins")


def _breaker(values: str) -> Series:
    return {
        'pokewatch_gateway_upstream_state{job="gateway",instance="g1",upstream="decision"}': values
    }


def _answers(before: tuple[int, int, int], after: tuple[int, int, int], market: str = "") -> Series:
    """BUY, SELL and HOLD in an hour each, for a week and then for seven hours."""
    name = "pokewatch_gateway_predictions_total"
    labels = f'job="gateway",instance="g1",market="{market}"'
    return {
        f'{name}{{{labels},signal="{signal}"}}': (f"0+{old}x168 {old * 168}+{new}x7")
        for signal, old, new in zip(("BUY", "SELL", "HOLD"), before, after, strict=True)
    }


def _mix(before: float, hours: int, after: float, hours_after: int) -> Series:
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


def _burning(alert: str, budget: float, long: int, short: int, step: int) -> tuple[Case, ...]:
    """Cases of a burn rate: its budget, its windows of `long` and `short` samples, 10 requests."""
    of, labels = (requests, _FAST) if alert.startswith("Avail") else (times, _SLOW)
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
            _after(of(10_000 - bad, bad, long - short - 2), of(10_000 - half, half, short + 2)),
            long + 1,
            step=step,
        ),
        Case(alert, "a dozen requests in all, none good", one, 12, labels, "100%", step),
        Case(alert, "half a dozen requests in all, none good", of(0, 1, 5), 5, step=step),
        Case(alert, "half a dozen requests now, and as many long ago", again, long + 17, step=step),
        Case(
            alert,
            "none is good, after many that were",
            _after(of(100, 0, 2 * long), of(0, 1, long)),
            3 * long + 1,
            labels,
            "100%",
            step,
        ),
    )


_FAST = {"objective": "availability"}
_SLOW = {"objective": "latency"}
_HOUR = 3600

ALERTS = (
    *_burning("AvailabilityBurnFast", 0.0144, 60, 5, 1),
    *_burning("AvailabilityBurn", 0.006, 36, 3, TENS),
    *_burning("AvailabilityBurnSlow", 0.001, 72, 6, HOURS),
    *_burning("LatencyBurnFast", 0.72, 60, 5, 1),
    *_burning("LatencyBurn", 0.3, 36, 3, TENS),
    *_burning("LatencyBurnSlow", 0.05, 72, 6, HOURS),
    Case(
        "AvailabilityBurn",
        "3% fail, for half an hour only",
        _after(requests(1000, 0, 32), requests(970, 30, 4)),
        36,
        step=TENS,
    ),
    Case(
        "AvailabilityBurnSlow",
        "0.5% fail, for seven hours only",
        _after(requests(1000, 0, 65), requests(995, 5, 7)),
        72,
        step=HOURS,
    ),
    Case(
        "LatencyBurnSlow",
        "a quarter is slow, for seven hours only",
        _after(times(1000, 0, 65), times(750, 250, 7)),
        72,
        step=HOURS,
    ),
    Case("GatewayDown", "the scrape of now failed", up(gateway="1x5 0x10"), 6),
    Case("MLServerDown", "the scrape of now failed", up(mlserver="1x5 0x10"), 6),
    Case("BreakerOpen", "since now", _breaker("0x3 2x8"), 5),
    Case(
        "WorkersRestarting",
        "three restarts of a worker in two hours",
        mlserver("pokewatch_runtime_start_time_seconds", "10x30 300x30 600x30 900x30"),
        115,
    ),
    Case(
        "WorkersRestarting",
        "three restarts of a gateway in two hours",
        {'process_start_time_seconds{job="gateway",instance="g1"}': "10x30 300x30 600x30 900x30"},
        115,
    ),
    Case(
        "WorkersRestarting",
        "one restart of a gateway",
        {'process_start_time_seconds{job="gateway",instance="g1"}': "10x5 300x15"},
        20,
    ),
    # Negative times: the test starts 36 hours after the day's end, 30 after the book was made.
    Case(
        "StaleData",
        "too old for four minutes",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "-216000x20"),
        4,
    ),
    Case(
        "StaleData",
        "too old for ten minutes",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "-216000x20"),
        10,
        MARKET,
        "1d 12h 10m 0s",
    ),
    Case(
        "PipelineMissing",
        "too old for four minutes",
        mlserver("pokewatch_book_created_timestamp_seconds", "-108000x20"),
        4,
    ),
    Case(
        "PipelineMissing",
        "too old for ten minutes",
        mlserver("pokewatch_book_created_timestamp_seconds", "-108000x20"),
        10,
        MARKET,
        "1d 6h 10m 0s",
    ),
    Case(
        "BookRefused",
        "a load failed two hours ago",
        mlserver("pokewatch_book_loads_total", "0x10 1x150", outcome="refused"),
        130,
    ),
    Case(
        "CanaryStopped",
        "two hours ago",
        _canary_stops("0x10 1x150"),
        130,
    ),
    Case("CalibrationOutOfBand", "for half an hour", _covered(0.78, 0.82), 30),
    Case("ModelErrorHigh", "for half an hour", _look_back("rmae_last", "1.25x120"), 30),
    Case("SignalMixShifted", "since now", _mix(0.05, 168, 0.25, 6), 169, step=HOURS),
    Case("SignalMixShifted", "ten days ago", _mix(0.05, 700, 0.25, 240), 930, step=HOURS),
    Case("AnswerMixShifted", "since now", _mix(0.1, 168, 0.9, 6), 171, step=HOURS),
    Case("AnswerMixShifted", "ten days ago", _mix(0.1, 700, 0.9, 240), 930, step=HOURS),
    Case(
        "AvailabilityBurnFast",
        "2% of requests fail for an hour",
        requests(98, 2, 70),
        65,
        _FAST,
        "2%",
    ),
    Case("AvailabilityBurnFast", "1% of requests fail for an hour", requests(99, 1, 70), 65),
    Case(
        "AvailabilityBurnFast",
        "all requests failed, until six minutes ago",
        _after(requests(0, 100, 59), requests(100, 0, 8)),
        67,
    ),
    Case(
        "AvailabilityBurnFast",
        "a tenth fails, for five minutes only",
        _after(requests(100, 0, 59), requests(90, 10, 5)),
        65,
    ),
    Case("AvailabilityBurnFast", "six requests in an hour, all failed", requests(0, 2, 3), 4),
    Case("AvailabilityBurnFast", "a probe fails", requests(0, 100, 70, "/ready"), 65),
    Case(
        "AvailabilityBurn",
        "1% of requests fail for six hours",
        requests(990, 10, 37),
        37,
        _FAST,
        "1%",
        TENS,
    ),
    Case(
        "AvailabilityBurn",
        "0.5% of requests fail for six hours",
        requests(995, 5, 37),
        37,
        step=TENS,
    ),
    Case(
        "AvailabilityBurnSlow",
        "0.2% of requests fail for three days",
        requests(499, 1, 72),
        72,
        _FAST,
        "0.2%",
        HOURS,
    ),
    Case(
        "AvailabilityBurnSlow",
        "0.05% of requests fail for three days",
        requests(1999, 1, 72),
        72,
        step=HOURS,
    ),
    Case(
        "LatencyBurnFast", "three of four are slow for an hour", times(25, 75, 70), 65, _SLOW, "75%"
    ),
    Case("LatencyBurnFast", "half are slow for an hour", times(50, 50, 70), 65),
    Case(
        "LatencyBurnFast",
        "all are slow, for half an hour only",
        _after(times(100, 0, 29), times(0, 100, 30)),
        60,
    ),
    Case("LatencyBurnFast", "six requests in all, every one slow", times(0, 2, 3), 4),
    Case(
        "LatencyBurn",
        "two of five are slow for six hours",
        times(600, 400, 37),
        37,
        _SLOW,
        "40%",
        TENS,
    ),
    Case(
        "LatencyBurn",
        "two of five are slow, for less than three hours",
        _after(times(1000, 0, 20), times(600, 400, 15)),
        36,
        step=TENS,
    ),
    Case("LatencyBurn", "one of five is slow for six hours", times(800, 200, 37), 37, step=TENS),
    Case(
        "LatencyBurnSlow",
        "one of ten is slow for three days",
        times(90, 10, 72),
        72,
        _SLOW,
        "10%",
        HOURS,
    ),
    Case(
        "LatencyBurnSlow", "one of fifty is slow for three days", times(98, 2, 72), 72, step=HOURS
    ),
    Case("GatewayDown", "the only gateway is down", up(gateway="1x5 0x10", mlserver="1x15"), 9, {}),
    Case("GatewayDown", "there is none to be found", up(mlserver="1x15"), 5, {}),
    Case(
        "GatewayDown",
        "one of two is down",
        {**up(gateway="0x15"), 'up{job="gateway",instance="g2"}': "1x15"},
        9,
    ),
    Case("GatewayDown", "one scrape failed", up(gateway="1x5 0 1x9"), 9),
    Case(
        "MLServerDown", "the only MLServer is down", up(mlserver="1x5 0x10", gateway="1x15"), 9, {}
    ),
    Case(
        "MLServerDown",
        "one of two is down",
        {**up(mlserver="0x15"), 'up{job="mlserver",instance="m2"}': "1x15"},
        9,
    ),
    Case(
        "ReplicaDown",
        "for a quarter of an hour",
        up(mlserver="0x20"),
        15,
        {"job": "mlserver", "instance": "m1"},
    ),
    Case("ReplicaDown", "for five minutes", up(mlserver="1x10 0x5 1x5"), 15),
    Case(
        "BreakerOpen",
        "it opens again after every try",
        _breaker("0x3 2 2 1 2 2 2 1 2"),
        9,
        {"upstream": "decision"},
    ),
    Case("BreakerOpen", "for a minute", _breaker("0x3 2 0x8"), 6),
    Case("BreakerOpen", "without requests", _breaker("0x3 2 1x20"), 20),
    Case(
        "WorkersRestarting",
        "a worker starts three times anew",
        mlserver("pokewatch_runtime_start_time_seconds", "10x5 300x5 600x5 900x5"),
        20,
        {"job": "mlserver", "instance": "m1"},
        "3",
    ),
    Case(
        "WorkersRestarting",
        "a gateway starts three times anew",
        {'process_start_time_seconds{job="gateway",instance="g1"}': "10x5 300x5 600x5 900x5"},
        20,
        {"job": "gateway", "instance": "g1"},
        "3",
    ),
    Case(
        "WorkersRestarting",
        "one restart",
        mlserver("pokewatch_runtime_start_time_seconds", "10x5 300x15"),
        20,
    ),
    Case(
        "KeyGuessing",
        "a hundred a minute",
        {'pokewatch_gateway_keyless_total{job="gateway",instance="g1"}': "0+100x20"},
        15,
        {},
        "1000",
    ),
    Case(
        "KeyGuessing",
        "ten a minute",
        {'pokewatch_gateway_keyless_total{job="gateway",instance="g1"}': "0+10x20"},
        15,
    ),
    # Time begins at 0 here: a book of that moment is as old as the test.
    Case(
        "StaleData",
        "the newest day ended 38 hours ago",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70"),
        62,
        MARKET,
        "1d 14h 0m 0s",
        HOURS,
    ),
    Case(
        "StaleData",
        "the newest day ended 35 hours ago",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70"),
        59,
        step=HOURS,
    ),
    Case(
        "StaleData",
        "one replica still has old data",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70")
        | mlserver("pokewatch_book_last_day_timestamp_seconds", "86400x70", instance="m2"),
        62,
        step=HOURS,
    ),
    Case(
        "StaleData",
        "one market has old data, the other new",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70")
        | mlserver("pokewatch_book_last_day_timestamp_seconds", "86400x70", market="b"),
        62,
        MARKET,
        "1d 14h 0m 0s",
        HOURS,
    ),
    Case(
        "DriftFound",
        "in one of two markets",
        _look_back("drift", "0.1x10")
        | mlserver("pokewatch_monitoring", "3x10", metric="drift", market="b"),
        5,
        {"market": "b"},
        "3.0",
    ),
    Case("ReplicasDisagree", "two markets of a replica", _served(m1="7") | _served_b("8"), 15),
    Case(
        "PipelineMissing",
        "the last book is 32 hours old",
        mlserver("pokewatch_book_created_timestamp_seconds", "0x40"),
        32,
        MARKET,
        "1d 8h 0m 0s",
        HOURS,
    ),
    Case(
        "PipelineMissing",
        "the last book is 29 hours old",
        mlserver("pokewatch_book_created_timestamp_seconds", "0x40"),
        29,
        step=HOURS,
    ),
    Case(
        "BookRefused",
        "a load failed",
        mlserver("pokewatch_book_loads_total", "0x10 1x30", outcome="refused"),
        20,
        {},
        "1",
    ),
    Case(
        "BookRefused",
        "a load failed long ago, others succeed",
        mlserver("pokewatch_book_loads_total", "3x90", outcome="refused")
        | mlserver("pokewatch_book_loads_total", "0+1x90", outcome="served"),
        80,
    ),
    Case(
        "CanaryStopped",
        "a gateway stopped one",
        _canary_stops("0x10 1x30"),
        20,
        MARKET,
        "1",
    ),
    Case(
        "ReplicasDisagree",
        "two versions for a quarter of an hour",
        _served(m1="7", m2="8"),
        15,
        MARKET,
        "2",
    ),
    Case("ReplicasDisagree", "two versions for five minutes", _served(m1="7", m2="8"), 5),
    Case("ReplicasDisagree", "two replicas of one version", _served(m1="8", m2="8"), 15),
    Case(
        "MonitoringMissing",
        "the last look back was five days ago",
        mlserver("pokewatch_monitoring_day_timestamp_seconds", "0x130"),
        5 * 24,
        MARKET,
        "5d 0h 0m 0s",
        HOURS,
    ),
    Case(
        "MonitoringMissing",
        "the last look back was three days ago",
        mlserver("pokewatch_monitoring_day_timestamp_seconds", "0x130"),
        3 * 24,
        step=HOURS,
    ),
    Case(
        "CalibrationOutOfBand",
        "the interval covers too little",
        _covered(0.75, 0.85),
        90,
        MARKET | {"measured": "live"},
        "80%",
    ),
    Case(
        "CalibrationOutOfBand",
        "the interval covers too much",
        _covered(0.95, 0.99),
        90,
        MARKET | {"measured": "live"},
        "97%",
    ),
    Case(
        "CalibrationOutOfBand",
        "a model with a bad evaluation was shipped",
        _evaluated_coverage(0.78, 0.82),
        90,
        MARKET | {"measured": "evaluation"},
        "80%",
    ),
    Case(
        "CalibrationOutOfBand",
        "an evaluation on few days",
        _evaluated_coverage(0.78, 0.82, enough=0),
        90,
    ),
    Case(
        "CalibrationOutOfBand",
        "measured on few forecasts",
        _covered(0.78, 0.82, n=499),
        90,
    ),
    Case(
        "CalibrationOutOfBand",
        "out of the band, by less than its own error",
        _covered(0.74, 0.87) | _evaluated_coverage(0.93, 0.99),
        90,
    ),
    Case(
        "CalibrationOutOfBand",
        "one day is out of the band",
        _covered(0.88, 0.92) | _look_back("coverage_90", "0.5x120"),
        90,
    ),
    Case(
        "CalibrationOutOfBand",
        "within the band",
        _covered(0.85, 0.87) | _evaluated_coverage(0.93, 0.95),
        90,
    ),
    Case(
        "ModelErrorHigh",
        "worse than the last price",
        _look_back("rmae_last", "1.25x120"),
        90,
        MARKET | {"measured": "live"},
        "1.25",
    ),
    Case(
        "ModelErrorHigh",
        "worse than the last price when evaluated",
        _evaluated("rmae_last", 1.25),
        90,
        MARKET | {"measured": "evaluation"},
        "1.25",
    ),
    Case(
        "ModelErrorHigh",
        "measured on few answers",
        _look_back("rmae_last", "1.25x120") | _look_back("n", "499x120"),
        90,
    ),
    Case(
        "ModelErrorHigh",
        "about as good as the last price",
        _look_back("rmae_last", "1.05x120") | _evaluated("rmae_last", 0.9),
        90,
    ),
    Case("DriftFound", "twice the limit", _look_back("drift", "2x10"), 5, MARKET, "2.0"),
    Case("DriftFound", "within the limit", _look_back("drift", "0.9x10"), 5),
    Case(
        "SignalMixShifted",
        "from 5% to 25% of the cards",
        mlserver("pokewatch_book_signal_ratio", "0.05x168 0.25x6", signal="BUY"),
        172,
        MARKET | {"signal": "BUY"},
        "20%",
        HOURS,
    ),
    Case(
        "SignalMixShifted",
        "from 5% to 12% of the cards",
        mlserver("pokewatch_book_signal_ratio", "0.05x168 0.12x6", signal="BUY"),
        172,
        step=HOURS,
    ),
    Case(
        "AnswerMixShifted",
        "from 10% to 58% of the answers",
        _answers((10, 45, 45), (58, 21, 21)),
        175,
        {"signal": "BUY"},
        "48%",
        HOURS,
    ),
    Case(
        "AnswerMixShifted",
        "in one of two markets, by as much as the other one hides in their sum",
        _answers((10, 45, 45), (58, 21, 21), "a") | _answers((500, 0, 500), (452, 0, 548), "b"),
        175,
        {"market": "a", "signal": "BUY"},
        "48%",
        HOURS,
    ),
    Case(
        "AnswerMixShifted",
        "from 10% to 20% of the answers",
        _answers((10, 10, 80), (20, 10, 70)),
        175,
        step=HOURS,
    ),
    Case(
        "AnswerMixShifted",
        "other answers, but only a few",
        _answers((10, 10, 80), (1, 0, 0)),
        175,
        step=HOURS,
    ),
)

_WINDOWS = {"5m": (10, 1), "30m": (40, 1), "1h": (70, 1), "6h": (37, TENS), "3d": (72, HOURS)}
_TWO_MODELS = {
    **_covered(0.89, 0.91),
    **_evaluated_coverage(0.86, 0.9),
    **mlserver("pokewatch_evaluation", "0.87x120", "m2", metric="coverage_90"),
    **mlserver("pokewatch_evaluation", "0.95x120", "m2", metric="coverage_90_low"),
}
_MANY_AND_FEW = {  # the figures of m2 are of 400 answers
    **_look_back("n", "600x10"),
    **mlserver("pokewatch_monitoring", "400x10", "m2", metric="n"),
}
RECORDS = (
    Record(
        "pokewatch:coverage_90:ratio",
        _covered(0.88, 0.92)
        | mlserver("pokewatch_monitoring", "0.5x10", "m2", metric="interval_coverage")
        | mlserver("pokewatch_monitoring", "400x10", "m2", metric="interval_coverage_n"),
        5,
        {'{market="simulated-0",measured="live"}': 0.9},
    ),
    Record(
        "pokewatch:rmae_last:ratio",
        _MANY_AND_FEW
        | _look_back("rmae_last", "0.9x10")
        | mlserver("pokewatch_monitoring", "2x10", "m2", metric="rmae_last"),
        5,
        {'{market="simulated-0",measured="live"}': 0.9},
    ),
    Record("pokewatch:answers_6h:ratio", _answers((5, 5, 40), (5, 5, 40)), 168, {}, HOURS),
    *(
        Record(f"pokewatch:gateway_errors:ratio_rate{w}", requests(98, 2, n), n, {"{}": 0.02}, step)
        for w, (n, step) in _WINDOWS.items()
    ),
    *(
        Record(f"pokewatch:gateway_slow:ratio_rate{w}", times(75, 25, n), n, {"{}": 0.25}, step)
        for w, (n, step) in _WINDOWS.items()
    ),
    Record(
        "pokewatch:data_age:seconds",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x25")
        | mlserver("pokewatch_book_last_day_timestamp_seconds", "-3600x25", market="b"),
        25,
        {'{market="b"}': 2 * _HOUR, '{market="simulated-0"}': _HOUR},
        HOURS,
    ),
    Record(
        "pokewatch:book_age:seconds",
        mlserver("pokewatch_book_created_timestamp_seconds", "600x60"),
        60,
        {'{market="simulated-0"}': _HOUR - 600},
    ),
    Record(
        "pokewatch:coverage_90:ratio",
        _TWO_MODELS,
        5,
        {
            '{market="simulated-0",measured="live"}': 0.9,
            '{market="simulated-0",measured="evaluation"}': 0.88,
        },
    ),
    Record(
        "pokewatch:coverage_90_low:ratio",
        _TWO_MODELS,
        5,
        {
            '{market="simulated-0",measured="live"}': 0.89,
            '{market="simulated-0",measured="evaluation"}': 0.86,
        },
    ),
    Record(
        "pokewatch:coverage_90_high:ratio",
        _TWO_MODELS,
        5,
        {
            '{market="simulated-0",measured="live"}': 0.91,
            '{market="simulated-0",measured="evaluation"}': 0.9,
        },
    ),
    Record(
        "pokewatch:rmae_last:ratio",
        {**_look_back("rmae_last", "0.9x10"), **_evaluated("rmae_last", 0.8)},
        5,
        {
            '{market="simulated-0",measured="live"}': 0.9,
            '{market="simulated-0",measured="evaluation"}': 0.8,
        },
    ),
    Record(
        "pokewatch:answers_6h:ratio",
        _answers((10, 10, 80), (10, 10, 80)),
        168,
        {'{signal="BUY"}': 0.1, '{signal="SELL"}': 0.1, '{signal="HOLD"}': 0.8},
        HOURS,
    ),
)
