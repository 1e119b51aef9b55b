"""What the cards of the flows show: tables and pictures from what the steps found."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from metaflow.cards import Image, Markdown, MetaflowCardComponent, Table

from pokewatch.checks import Check
from pokewatch.deploy.reload import ReplicaOutcome
from pokewatch.monitoring.calibration import Calibration
from pokewatch.monitoring.measurement import Measurement
from pokewatch.pipeline import plots
from pokewatch.pipeline.daily import Collected, GateOutcome
from pokewatch.registry import RegisteredModel
from pokewatch.settings import GateSettings

Evaluation = Mapping[str, Any]

PASSED, FAILED = "passed", "**FAILED**"


def quality_card(
    collected: Collected, checks: Sequence[Check], daily: Mapping[str, Any]
) -> Iterator[MetaflowCardComponent]:
    """The prices of the run: where from, whether they passed, how they run over the days."""
    failed = [check for check in checks if not check.passed]
    report = collected.report
    yield Markdown(
        f"# Prices from {_market(collected.source)}, {collected.first_day} to {collected.last_day}"
    )
    refused = "The prices failed: the run stops here, and the last good model keeps serving."
    yield Markdown(_verdict(failed, "The prices passed every check.", refused))
    yield _checks_table(checks)
    yield Markdown("## Day by day")
    yield Image.from_matplotlib(plots.days_plot(daily["days"], daily["series"]))
    yield Markdown("## Collected")
    yield Table(
        [
            ["days written", str(len(report["written"]))],
            ["days there already", str(len(report["unchanged"]))],
            ["rows written", f"{report['rows']:,}"],
            *[
                [f"quarantined: {reason}", f"{count:,}"]
                for reason, count in sorted(report["quarantined"].items())
            ],
            *[["warning", warning] for warning in report["warnings"]],
            ["raw version", collected.raw_version],
        ],
        headers=["", ""],
    )


def evaluation_card(evaluation: Evaluation) -> Iterator[MetaflowCardComponent]:
    """One candidate: its scores, where its errors are, and whether its intervals and confidence keep what they say."""
    yield Markdown(f"# {evaluation['model']}, {evaluation['horizon']} days ahead")
    yield Markdown(_origins(evaluation))
    yield _scores_table([evaluation])
    yield Image.from_matplotlib(plots.error_plot(evaluation["groups"]))
    sums = evaluation["by_origin"]
    days = [date.fromisoformat(origin) for origin in evaluation["origins"]]
    limits = GateSettings.read()
    yield Image.from_matplotlib(
        plots.coverage_plot(
            days,
            sums["covered"],
            sums["valued"],
            limits.gate_interval_low,
            limits.gate_interval_high,
        )
    )
    yield Image.from_matplotlib(plots.reliability_plot(evaluation["reliability"]))
    yield Markdown("## By price and liquidity")
    yield _groups_table(evaluation["groups"])


def gate_card(
    verdict: GateOutcome, evaluations: Sequence[Evaluation], others: Sequence[Evaluation] = ()
) -> Iterator[MetaflowCardComponent]:
    """The candidates side by side, the one chosen, every check it had to pass, and how they do at `others`, the further horizons."""
    failed = [check for check in verdict.checks if not check.passed]
    yield Markdown(f"# {verdict.model} is the candidate")
    yield Markdown(
        "The simplest model that no other beats: a more complex one ships only where it is better beyond chance."
    )
    yield Markdown("\n".join(f"- {reason}" for reason in verdict.reasons))
    yield Markdown(
        _verdict(
            failed,
            "It passed the gate.",
            "The gate refused it: nothing was registered, and the champion keeps serving.",
        )
    )
    yield _checks_table(verdict.checks)
    yield Image.from_matplotlib(plots.candidates_plot(evaluations, verdict.model))
    yield _scores_table(evaluations)
    chosen = next(each for each in evaluations if each["model"] == verdict.model)
    for horizon in dict.fromkeys(each["horizon"] for each in others):
        yield Markdown(f"## At {horizon} days")
        yield _scores_table([each for each in others if each["horizon"] == horizon])
    yield Markdown(f"## {verdict.model} in detail")
    yield Image.from_matplotlib(plots.error_plot(chosen["groups"]))
    yield Image.from_matplotlib(plots.reliability_plot(chosen["reliability"]))


def deploy_card(
    registered: RegisteredModel,
    verdict: GateOutcome,
    outcomes: Sequence[ReplicaOutcome],
    backtest: Mapping[str, Any],
) -> Iterator[MetaflowCardComponent]:
    """Which version is champion now, what it replaced, which servers follow it, and what its signals would have earned."""
    before = (
        f"version {verdict.champion[0]} ({verdict.champion[1]})" if verdict.champion else "none"
    )
    yield Markdown(
        f"# Version {registered.version} is champion, on prices from {_market(registered.tags['source'])}"
    )
    yield Table(
        [
            ["model", verdict.model],
            ["champion before", before],
            ["data version", registered.data_version],
            ["price book", f"{registered.digest[:32]}..."],  # the whole of it would leave the table
            ["run", registered.run_id],
            *[[outcome.address, outcome.state] for outcome in outcomes],
        ],
        headers=["", ""],
    )
    policies = backtest["policies"]
    yield Markdown("## What following its signals would have earned")
    if not policies:
        yield Markdown(
            "The days are too few to see a trade to its end, or the cards too cheap to trade."
        )
        return
    judged = (
        f"at most {backtest['most_cards']:,} of the cards at {backtest['min_price']:.2f} or more"
    )
    yield Markdown(
        f"After the fees of {policies[0]['fees']}, on {judged}: bought at the next renewed price, sold at a five-day median. "
        "The sham buys at the very quote that gave the signal, which nobody can do."
    )
    for each in policies:
        yield Image.from_matplotlib(plots.equity_plot(each))
    yield _trades_table(policies)


def _trades_table(policies: Sequence[Mapping[str, Any]]) -> Table:
    ways = {
        "followed": "signals followed",
        "random": "random signals",
        "buy_everything": "everything bought",
        "sham_same_day": "sham: the same day",
    }
    rows = [
        [
            each["policy"],
            title,
            _number(each[way].get("trades")),
            _percent(each[way]["mean_net"]),
            _percent(each[way].get("hit_rate")),
        ]
        for each in policies
        for way, title in ways.items()
    ]
    rows += [
        [
            each["policy"],
            "chance that random ones earn as much",
            "-",
            _percent(each["random"]["p_value"]),
            "-",
        ]
        for each in policies
    ]
    rows += [
        [each["policy"], "largest fall", "-", _percent(-each["curve"]["max_drawdown"]), "-"]
        for each in policies
    ]
    return Table(rows, headers=["policy", "", "trades", "mean, after fees", "with a profit"])


def monitor_card(
    source: str, found: Measurement, limits: tuple[float, float, float]
) -> Iterator[MetaflowCardComponent]:
    """What the models said against what came, and whether prices have drifted; `limits`: coverage from, to, and the largest shift."""
    low, high, shift = limits
    yield Markdown(f"# Model version {found.version} on {_market(source)}, {found.measured_on}")
    yield Markdown(
        _verdict(
            found.failed,
            "Every check passed.",
            f"Out of bounds: {', '.join(check.name for check in found.failed)}.",
        )
    )
    yield _checks_table(found.checks)
    yield Markdown("## What was said against what came")
    yield _calibrations_table(found.calibrations)
    if found.made_on:
        inside, judged = zip(*found.covered, strict=True)
        yield Image.from_matplotlib(plots.coverage_plot(found.made_on, inside, judged, low, high))
    for each in found.calibrations:
        if each.lag == found.horizon:
            yield Image.from_matplotlib(plots.reliability_plot(each.reliability))
            yield Markdown("By price and liquidity:")
            yield _groups_table(each.groups)
    yield Markdown("## The prices coming in")
    yield Markdown("The last days against the eight weeks before them, as of each day.")
    yield Image.from_matplotlib(plots.drift_plot(found.days, found.degrees, shift))


def action_card(retrain: bool, why: str) -> Iterator[MetaflowCardComponent]:
    """What follows from the measurement."""
    yield Markdown(f"# The models are {'' if retrain else 'not '}trained again")
    yield Markdown(f"{why[:1].upper()}{why[1:]}.")


def _calibrations_table(calibrations: Sequence[Calibration]) -> Table:
    names = {
        "rmae_last": "error / last price's",
        "mape": "MAPE %",
        "bias": "bias (log)",
        "coverage_90": "inside the 90% interval",
        "n": "card-days",
    }
    rows = [
        ["made on", *(str(each.made_on) for each in calibrations)],
        [
            "model version",
            *(f"{each.version}{'' if each.served else ', reconstructed'}" for each in calibrations),
        ],
        *[
            [title, *(_number(each.scores[name]) for each in calibrations)]
            for name, title in names.items()
        ],
        ["confidence off by", *(_number(each.reliability_gap) for each in calibrations)],
    ]
    return Table(rows, headers=["", *(f"{each.lag} days later" for each in calibrations)])


def _market(source: str) -> str:
    return "a simulated market" if source == "simulated" else source


def _verdict(failed: Sequence[Check], good: str, bad: str) -> str:
    return f"**{bad}**" if failed else good


def _checks_table(checks: Sequence[Check]) -> Table:
    rows = [
        [
            check.name,
            f"{check.actual} (wanted {check.threshold})",
            Markdown(PASSED if check.passed else FAILED),
            check.why,
        ]
        for check in checks
    ]
    return Table(rows, headers=["check", "found", "", "why"])


def _scores_table(evaluations: Sequence[Evaluation]) -> Table:
    names = {
        "rmae_last": "error / last price's",
        "rmae_median7": "error / median-7's",
        "mape": "MAPE %",
        "rmse": "RMSE (log)",
        "bias": "bias (log)",
        "coverage_90": "coverage of 90%",
        "winkler_90": "Winkler",
        "coverage_rate": "valued",
        "buy_rate": "BUY",
        "sell_rate": "SELL",
        "hold_rate": "HOLD",
        "dataset_size": "card-days",
    }
    rows = [
        [title, *(_number(each[name]) for each in evaluations)] for name, title in names.items()
    ]
    return Table(rows, headers=["", *(each["model"] for each in evaluations)])


def _groups_table(groups: Sequence[Mapping[str, Any]]) -> Table:
    names = ("n", "rmae_last", "mape", "coverage_90", "width")
    rows = [
        [group["price_band"], group["liquidity"], *(_number(group[name]) for name in names)]
        for group in groups
    ]
    headers = [
        "price",
        "liquidity",
        "card-days",
        "error / last's",
        "MAPE %",
        "coverage",
        "width (log)",
    ]
    return Table(rows, headers=headers)


def _origins(evaluation: Evaluation) -> str:
    origins = evaluation["origins"]
    few = (
        ""
        if evaluation["enough_origins"]
        else " The history allows no more: read the figures with care."
    )
    return f"Judged on {evaluation['dataset_size']:,} card-days from {len(origins)} days, {origins[0]} to {origins[-1]}.{few}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
