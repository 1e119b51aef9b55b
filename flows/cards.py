"""The cards of the flows: tables and plots of the steps' results."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from card_tables import (
    calibrations_table,
    checks_table,
    groups_table,
    scores_table,
    trades_table,
    values_table,
)
from metaflow.cards import Image, Markdown, MetaflowCardComponent, Table

from pokewatch import contract
from pokewatch.checks import Check
from pokewatch.deploy.reload import ReplicaOutcome
from pokewatch.monitoring.measurement import Measurement
from pokewatch.pipeline import plots
from pokewatch.pipeline.collection import Collected
from pokewatch.pipeline.training import GateOutcome
from pokewatch.registry import RegisteredModel
from pokewatch.settings import GateSettings
from pokewatch.valuation.skill import MIN_WINDOWS

Evaluation = Mapping[str, Any]

STRONGEST = 10  # cards of the table of signals


def quality_card(
    collected: Collected, checks: Sequence[Check], daily: Mapping[str, Any]
) -> Iterator[MetaflowCardComponent]:
    """The prices of the run: source, quality checks, and daily figures."""
    failed = [check for check in checks if not check.passed]
    report = collected.report
    yield Markdown(
        f"# Prices from {_market(collected.source)}, {collected.first_day} to {collected.last_day}"
    )
    refused = "A check failed: the run stops here, and the champion stays."
    yield Markdown(_summary(failed, "The prices passed all checks.", refused))
    yield checks_table(checks)
    yield Markdown("## Day by day")
    yield Image.from_matplotlib(plots.days_plot(daily["days"], daily["series"]))
    yield Markdown("## Collected")
    yield Table(
        [
            ["days written", str(len(report["written"]))],
            ["days already there", str(len(report["unchanged"]))],
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


def evaluation_card(
    evaluation: Evaluation, limits: GateSettings
) -> Iterator[MetaflowCardComponent]:
    """One candidate: scores, errors by price and liquidity, and calibration."""
    yield Markdown(f"# {evaluation['model']}, {evaluation['horizon']} days ahead")
    if missing := evaluation.get("not_evaluated"):
        yield Markdown(f"**It cannot be evaluated yet: {missing}.**")
        return
    yield Markdown(_origins(evaluation))
    yield scores_table([evaluation])
    yield Image.from_matplotlib(plots.error_plot(evaluation["groups"]))
    sums = evaluation["by_origin"]
    days = [date.fromisoformat(origin) for origin in evaluation["origins"]]
    yield Image.from_matplotlib(
        plots.coverage_plot(
            days,
            sums["covered"],
            sums["interval"],
            limits.gate_interval_low,
            limits.gate_interval_high,
        )
    )
    yield Image.from_matplotlib(plots.reliability_plot(evaluation["reliability"]))
    yield Markdown("## By price and liquidity")
    yield groups_table(evaluation["groups"])


def gate_card(
    outcome: GateOutcome, evaluations: Sequence[Evaluation], others: Sequence[Evaluation] = ()
) -> Iterator[MetaflowCardComponent]:
    """The selected candidate, the gate's checks, and all candidates; `others`: further horizons."""
    failed = [check for check in outcome.checks if not check.passed]
    yield Markdown(f"# {outcome.model} is selected")
    if not outcome.not_evaluated:
        yield Markdown(_evidence(outcome))
        yield Markdown(
            "The simplest model that no other beats and that is not inferior to the champion: a "
            "more complex one must be significantly better."
        )
    yield Markdown("\n".join(f"- {reason}" for reason in outcome.reasons))
    yield Markdown(
        _summary(
            failed,
            f"**{_sentence(outcome.not_evaluated)}**"
            if outcome.not_evaluated
            else "All checks of the gate passed.",
            "The gate refused it: nothing was registered, and the champion stays.",
        )
    )
    yield checks_table(outcome.checks)
    if not outcome.not_evaluated:
        yield Image.from_matplotlib(plots.candidates_plot(evaluations, outcome.model))
        yield scores_table(evaluations)
    for horizon in dict.fromkeys(each["horizon"] for each in others):
        yield Markdown(f"## At {horizon} days")
        yield scores_table([each for each in others if each["horizon"] == horizon])
    if outcome.not_evaluated:
        return
    chosen = next(each for each in evaluations if each["model"] == outcome.model)
    yield Markdown(f"## {outcome.model} in detail")
    yield Image.from_matplotlib(plots.error_plot(chosen["groups"]))
    yield Image.from_matplotlib(plots.reliability_plot(chosen["reliability"]))


def deploy_card(
    registered: RegisteredModel,
    outcome: GateOutcome,
    outcomes: Sequence[ReplicaOutcome],
    backtest: Mapping[str, Any],
    strongest: Sequence[Mapping[str, Any]],
) -> Iterator[MetaflowCardComponent]:
    """The new champion, its servers and strongest signals, and the backtest."""
    before = (
        f"version {outcome.champion[0]} ({outcome.champion[1]})" if outcome.champion else "none"
    )
    yield Markdown(
        f"# Version {registered.version} is champion, on prices from "
        f"{_market(registered.tags['source'])}"
    )
    if outcome.not_evaluated:
        yield Markdown(f"**{_sentence(outcome.not_evaluated)}**")
    yield Table(
        [
            ["model", outcome.model],
            ["evaluation of the fair price", outcome.skill],
            ["previous champion", before],
            ["data version", registered.data_version],
            [
                "price book",
                f"{registered.digest[:32]}...",
            ],  # the full digest does not fit the table
            ["run", registered.run_id],
            *[[f"MLServer at {outcome.address}", outcome.state] for outcome in outcomes],
        ],
        headers=["", ""],
    )
    yield Markdown("## Strongest signals")
    yield values_table(strongest)
    policies = backtest["policies"]
    yield Markdown("## Backtest")
    if not policies:
        yield Markdown(
            "There are too few days to complete a trade, or no card is expensive enough to trade."
        )
        return
    yield _terms(backtest)
    for each in policies:
        yield Image.from_matplotlib(plots.equity_plot(each))
    yield trades_table(policies)


def _terms(backtest: Mapping[str, Any]) -> Markdown:
    policies = backtest["policies"]
    cards = f"up to {backtest['most_cards']:,} cards at {backtest['min_price']:.2f} or more"
    return Markdown(
        f"Returns after the fees of {policies[0]['fees']} and {policies[0]['postage']:.2f} "
        f"{policies[0]['currency']} postage, on {cards}: one copy bought at the next renewed "
        "price, or at the lowest ask if that is higher, and sold at a five-day median. At most "
        f"{policies[0]['capacity']['a_day']} copies are bought in a day and "
        f"{policies[0]['capacity']['held']} held. Random trades are the same trades in other cards "
        "of about the same price and volatility. The same-day figure trades at the price that gave "
        "the signal, which nobody can do: it shows what a naive backtest would report."
    )


def monitor_card(
    source: str, found: Measurement, limits: tuple[float, float, float]
) -> Iterator[MetaflowCardComponent]:
    """Past estimates against later prices, and drift.

    `limits` are the smallest and largest coverage, and the largest drift.
    """
    low, high, largest_drift = limits
    yield Markdown(f"# Model version {found.version} on {_market(source)}, {found.measured_on}")
    yield Markdown(
        _summary(
            found.failed,
            "No check failed."
            if any(check.judged for check in found.checks)
            else "Nothing can be judged yet.",
            f"Out of bounds: {', '.join(check.name for check in found.failed)}.",
        )
    )
    yield checks_table(found.checks)
    yield Markdown("## Estimates against later prices")
    yield calibrations_table(found.calibrations)
    covered = found.covered
    if covered.made_on:
        yield Image.from_matplotlib(
            plots.coverage_plot(covered.made_on, covered.inside, covered.judged, low, high)
        )
    for each in found.calibrations:
        if each.lag == found.horizon:
            yield Image.from_matplotlib(plots.reliability_plot(each.reliability))
            yield Markdown("By price and liquidity:")
            yield groups_table(each.groups)
    yield Markdown("## Incoming prices")
    yield Markdown("The last days compared with the eight weeks before them, by day.")
    yield Image.from_matplotlib(plots.drift_plot(found.days, found.degrees, largest_drift))


def action_card(retrain: bool, why: str) -> Iterator[MetaflowCardComponent]:
    """The action taken."""
    yield Markdown(f"# The models are {'' if retrain else 'not '}retrained")
    yield Markdown(_sentence(why))


def _market(source: str) -> str:
    return "a simulated market" if source == "simulated" else source


def _evidence(outcome: GateOutcome) -> str:
    """Return what the evaluation shows, in the place of a headline."""
    match outcome.skill:
        case contract.BETTER:
            return f"**{outcome.model} is {outcome.skill}.**"
        case contract.TOO_FEW_PERIODS:
            return (
                f"**Its error was below that of the last price, but these are {outcome.skill} "
                "what the next one brings.**"
            )
    return (
        f"**{outcome.model} is {outcome.skill}: only its interval and offered prices add "
        "information.**"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _summary(failed: Sequence[Check], good: str, bad: str) -> str:
    return f"**{bad}**" if failed else good


def _origins(evaluation: Evaluation) -> str:
    origins = evaluation["origins"]
    few = "" if evaluation["windows"] >= MIN_WINDOWS else ": too few periods to tell"
    return (
        f"{evaluation['dataset_size']:,} card-days at {len(origins)} origins, {origins[0]} to "
        f"{origins[-1]}, which are {evaluation['windows']:.1f} independent periods{few}. Intervals "
        "allow for common cards and common dates."
    )
