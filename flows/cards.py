"""The cards of the flows: tables and plots of the steps' results."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from card_html import facts_table, glossary, style
from card_tables import (
    GROUP_WORDS,
    SIGNAL_WORDS,
    TRADE_WORDS,
    checks_table,
    groups_table,
    score_words,
    scores_table,
    trades_table,
    values_table,
)
from card_words import evidence, market_name, origins, sentence, summary
from metaflow.cards import Markdown, MetaflowCardComponent, VegaChart

from pokewatch.checks import Check
from pokewatch.pipeline import plots
from pokewatch.wording import counted

# For their types alone: each step would take a second to import what the other steps use.
if TYPE_CHECKING:
    from pokewatch.deploy.reload import ReplicaOutcome
    from pokewatch.pipeline.collect import Collected
    from pokewatch.pipeline.selection import GateOutcome
    from pokewatch.registry import RegisteredModel
    from pokewatch.settings import GateSettings
    from pokewatch.valuation.book import PriceBook

Evaluation = Mapping[str, Any]

STRONGEST = 10  # cards of the table of signals


def collection_card(collected: "Collected") -> Iterator[MetaflowCardComponent]:
    """The prices that a run collected, and the rows that it could not use."""
    report = collected.report
    yield style()
    yield Markdown(
        f"# Collected from {market_name(collected.market)}, {collected.first_day} to "
        f"{collected.last_day}"
    )
    held = len(collected.held)
    yield Markdown(
        f"**{counted(held, 'check')} failed: those days were not written to the lake.**"
        if held
        else "Every day that the source has is in the lake."
    )
    if held:
        yield checks_table(collected.held)
    yield facts_table(
        [
            ("days written", f"{len(report['written']):,}"),
            ("days that were there before", f"{len(report['unchanged']):,}"),
            ("rows written", f"{report['rows']:,}"),
            *[
                (f"quarantined: {reason}", f"{count:,}")
                for reason, count in sorted(report["quarantined"].items())
            ],
            *[("warning", warning) for warning in report["warnings"]],
            ("raw version", collected.raw_version),
        ]
    )


def quality_card(
    collected: "Collected", checks: Sequence[Check], daily: Mapping[str, Any]
) -> Iterator[MetaflowCardComponent]:
    """The prices of the run: source, quality checks, and daily figures."""
    failed = [check for check in checks if not check.passed]
    yield style()
    yield Markdown(
        f"# Prices from {market_name(collected.market)}, {collected.first_day} to "
        f"{collected.last_day}"
    )
    refused = "A check failed: the run stops here, and the champion stays."
    yield Markdown(summary(failed, "The prices passed all checks.", refused))
    yield checks_table(checks)
    if daily["days"]:
        yield Markdown("## Day by day")
        yield from map(VegaChart, plots.days_plots(daily["days"], daily["series"]))


def training_card(
    market: str,
    parameters: Mapping[str, Mapping[str, Any]],
    left_out: Sequence[tuple[int, str]],
    data_version: str,
) -> Iterator[MetaflowCardComponent]:
    """The fitted models, and the horizons that the history is too short for."""
    yield style()
    yield Markdown(f"# Models of {market_name(market)}")
    yield Markdown(
        "Each was trained on what was known on its training date, and its interval calibrated on "
        "forecasts that it was not trained on."
    )
    yield facts_table(
        [
            *[(name, f"trained on {each['learnt_until']}") for name, each in parameters.items()],
            ("horizon", counted(next(iter(parameters.values()))["horizon"], "day")),
            *[
                (f"not evaluated at {counted(horizon, 'day')}", reason)
                for horizon, reason in left_out
            ],
            ("data version", data_version),
        ]
    )


def registration_card(
    registered: "RegisteredModel", book: "PriceBook"
) -> Iterator[MetaflowCardComponent]:
    """The version that was registered, and the further horizons of its price book."""
    tags = registered.tags
    further = ", ".join(map(str, book.forecasts.horizons)) or "none"
    yield style()
    yield Markdown(
        f"# Version {registered.version} ({tags['model']}) is registered, on prices from "
        f"{market_name(book.facts.market)}"
    )
    yield Markdown("It is challenger: it serves once the next step has made it champion.")
    yield facts_table(
        [
            ("evaluation of the fair price", tags["skill"]),
            ("last day of prices", tags["last_day"]),
            ("further forecasts, days ahead", further),
            *[
                (f"no forecast at {counted(horizon, 'day')}", reason)
                for horizon, reason in book.facts.missing_horizons.items()
            ],
            ("data version", registered.data_version),
            ("digest of the price book", registered.digest),
            ("run", registered.run_id),
        ]
    )


def evaluation_card(
    market: str, currency: str, evaluations: Sequence[Evaluation], limits: "GateSettings"
) -> Iterator[MetaflowCardComponent]:
    """One candidate: scores, and by horizon errors by price and liquidity, and calibration."""
    yield style()
    yield Markdown(f"# {evaluations[0]['model']} on {market_name(market)}")
    for evaluation in evaluations:
        yield Markdown(f"## {counted(evaluation['horizon'], 'day')} ahead")
        if missing := evaluation.get("not_evaluated"):
            yield Markdown(f"**It cannot be evaluated yet: {missing}.**")
        else:
            yield from _evaluation(evaluation, currency, limits)
    if not all(each.get("not_evaluated") for each in evaluations):
        yield score_words()
        yield glossary(GROUP_WORDS)


def _evaluation(
    evaluation: Evaluation, currency: str, limits: "GateSettings"
) -> Iterator[MetaflowCardComponent]:
    yield Markdown(origins(evaluation))
    yield scores_table([evaluation])
    yield VegaChart(plots.error_plot(evaluation["groups"], currency))
    sums = evaluation["by_origin"]
    days = [date.fromisoformat(origin) for origin in evaluation["origins"]]
    yield VegaChart(
        plots.coverage_plot(
            days,
            sums["covered"],
            sums["interval"],
            limits.gate_interval_low,
            limits.gate_interval_high,
        )
    )
    yield VegaChart(plots.reliability_plot(evaluation["reliability"]))
    yield Markdown("### By price and liquidity")
    yield groups_table(evaluation["groups"], currency)


def gate_card(
    market: str,
    currency: str,
    outcome: "GateOutcome",
    evaluations: Sequence[Evaluation],
    others: Sequence[Evaluation] = (),
) -> Iterator[MetaflowCardComponent]:
    """The selected candidate, the gate's checks, and all candidates; `others`: further horizons."""
    failed = [check for check in outcome.checks if not check.passed]
    yield style()
    yield Markdown(f"# {outcome.model} is selected for {market_name(market)}")
    if not outcome.not_evaluated:
        yield Markdown(evidence(outcome))
        yield Markdown(
            "The simplest model that no other beats and that is not inferior to the champion: a "
            "more complex one must be significantly better."
        )
    yield Markdown("\n".join(f"- {reason}" for reason in outcome.reasons))
    yield Markdown(
        summary(
            failed,
            f"**{sentence(outcome.not_evaluated)}**"
            if outcome.not_evaluated
            else "All checks of the gate passed.",
            "The gate refused it: nothing was registered, and the champion stays.",
        )
    )
    yield checks_table(outcome.checks)
    if not outcome.not_evaluated:
        yield VegaChart(plots.candidates_plot(evaluations, outcome.model))
        yield scores_table(evaluations)
        yield score_words()
    for horizon in dict.fromkeys(each["horizon"] for each in others):
        yield Markdown(f"## At {counted(horizon, 'day')}")
        yield scores_table([each for each in others if each["horizon"] == horizon])
    if outcome.not_evaluated:
        return
    chosen = next(each for each in evaluations if each["model"] == outcome.model)
    yield Markdown(f"## {outcome.model} in detail")
    yield VegaChart(plots.error_plot(chosen["groups"], currency))
    yield VegaChart(plots.reliability_plot(chosen["reliability"]))


def deploy_card(
    market: str,
    registered: "RegisteredModel",
    outcome: "GateOutcome",
    outcomes: "Sequence[ReplicaOutcome]",
    backtest: Mapping[str, Any],
    strongest: Sequence[Mapping[str, Any]],
) -> Iterator[MetaflowCardComponent]:
    """The new champion, its servers and strongest signals, and the backtest."""
    before = (
        f"version {outcome.champion[0]} ({outcome.champion[1]})" if outcome.champion else "none"
    )
    yield style()
    yield Markdown(
        f"# Version {registered.version} is champion, on prices from {market_name(market)}"
    )
    if outcome.not_evaluated:
        yield Markdown(f"**{sentence(outcome.not_evaluated)}**")
    yield facts_table(
        [
            ("model", outcome.model),
            ("evaluation of the fair price", outcome.skill),
            ("previous champion", before),
            ("data version", registered.data_version),
            ("digest of the price book", registered.digest),
            ("run", registered.run_id),
            *[(f"MLServer at {outcome.address}", outcome.state) for outcome in outcomes],
        ]
    )
    yield Markdown("## Strongest signals")
    yield values_table(strongest)
    yield glossary(SIGNAL_WORDS)
    policies = backtest["policies"]
    yield Markdown("## Backtest")
    if not policies:
        yield Markdown(
            "There are too few days to complete a trade, or no card is expensive enough to trade."
        )
        return
    yield _terms(backtest)
    for each in policies:
        yield VegaChart(plots.equity_plot(each))
    yield trades_table(policies)
    yield glossary(TRADE_WORDS)


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
