"""What the cards of the flows show: tables and pictures from what the steps found."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from metaflow.cards import Image, Markdown, MetaflowCardComponent, Table

from pokewatch import plots
from pokewatch.checks import Check
from pokewatch.pipeline import Collected, Verdict
from pokewatch.registry import RegisteredModel
from pokewatch.serving.deploy import Outcome

Component = MetaflowCardComponent
Evaluation = Mapping[str, Any]

PASSED, FAILED = "passed", "**FAILED**"


def quality_card(collected: Collected, checks: Sequence[Check], daily: Mapping[str, Any]) -> Iterator[Component]:
    """The prices of the run: where from, whether they passed, how they run over the days."""
    failed = [check for check in checks if not check.passed]
    report = collected.report
    yield Markdown(f"# Prices from {_market(collected.source)}, {collected.first_day} to {collected.last_day}")
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
            *[[f"quarantined: {reason}", f"{count:,}"] for reason, count in sorted(report["quarantined"].items())],
            *[["warning", warning] for warning in report["warnings"]],
            ["raw version", collected.raw_version],
        ],
        headers=["", ""],
    )


def evaluation_card(evaluation: Evaluation) -> Iterator[Component]:
    """One candidate: its scores, where its errors are, and whether its intervals and confidence keep what they say."""
    yield Markdown(f"# {evaluation['model']}, {evaluation['horizon']} days ahead")
    yield Markdown(_origins(evaluation))
    yield _scores_table([evaluation])
    yield Image.from_matplotlib(plots.error_plot(evaluation["groups"]))
    sums = evaluation["by_origin"]
    days = [date.fromisoformat(origin) for origin in evaluation["origins"]]
    yield Image.from_matplotlib(plots.coverage_plot(days, sums["covered"], sums["valued"], 0.86, 0.94))
    yield Image.from_matplotlib(plots.reliability_plot(evaluation["reliability"]))
    yield Markdown("## By price and liquidity")
    yield _groups_table(evaluation["groups"])


def gate_card(verdict: Verdict, evaluations: Sequence[Evaluation]) -> Iterator[Component]:
    """The candidates side by side, the one chosen, and every check it had to pass."""
    failed = [check for check in verdict.checks if not check.passed]
    yield Markdown(f"# {verdict.model} is the candidate")
    yield Markdown("The simplest model that no other beats: a more complex one ships only where it is better beyond chance.")
    yield Markdown("\n".join(f"- {reason}" for reason in verdict.reasons))
    yield Markdown(_verdict(failed, "It passed the gate.", "The gate refused it: nothing was registered, and the champion keeps serving."))
    yield _checks_table(verdict.checks)
    yield Image.from_matplotlib(plots.candidates_plot(evaluations, verdict.model))
    yield _scores_table(evaluations)
    chosen = next(each for each in evaluations if each["model"] == verdict.model)
    yield Markdown(f"## {verdict.model} in detail")
    yield Image.from_matplotlib(plots.error_plot(chosen["groups"]))
    yield Image.from_matplotlib(plots.reliability_plot(chosen["reliability"]))


def deploy_card(registered: RegisteredModel, verdict: Verdict, outcomes: Sequence[Outcome]) -> Iterator[Component]:
    """Which version is champion now, what it replaced, and which servers follow it."""
    before = f"version {verdict.champion[0]} ({verdict.champion[1]})" if verdict.champion else "none"
    yield Markdown(f"# Version {registered.version} is champion")
    yield Table(
        [
            ["model", verdict.model],
            ["champion before", before],
            ["data version", registered.data_version],
            ["price book", registered.digest],
            ["run", registered.run_id],
            *[[outcome.address, outcome.state] for outcome in outcomes],
        ],
        headers=["", ""],
    )


def _market(source: str) -> str:
    return "a simulated market" if source == "simulated" else source


def _verdict(failed: Sequence[Check], good: str, bad: str) -> str:
    return f"**{bad}**" if failed else good


def _checks_table(checks: Sequence[Check]) -> Table:
    rows = [
        [check.name, f"{check.actual} (wanted {check.threshold})", Markdown(PASSED if check.passed else FAILED), check.why]
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
    rows = [[title, *(_number(each[name]) for each in evaluations)] for name, title in names.items()]
    return Table(rows, headers=["", *(each["model"] for each in evaluations)])


def _groups_table(groups: Sequence[Mapping[str, Any]]) -> Table:
    names = ("n", "rmae_last", "mape", "coverage_90", "width")
    rows = [[group["price_band"], group["liquidity"], *(_number(group[name]) for name in names)] for group in groups]
    headers = ["price", "liquidity", "card-days", "error / last's", "MAPE %", "coverage", "width (log)"]
    return Table(rows, headers=headers)


def _origins(evaluation: Evaluation) -> str:
    origins = evaluation["origins"]
    few = "" if evaluation["enough_origins"] else " The history allows no more: read the figures with care."
    return f"Judged on {evaluation['dataset_size']:,} card-days from {len(origins)} days, {origins[0]} to {origins[-1]}.{few}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
