"""The cards of the monitoring flow."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from card_html import Column, glossary, html_table, style
from card_tables import (
    EXPERIMENT_WORDS,
    GROUP_WORDS,
    calibrations_table,
    checks_table,
    experiment_table,
    groups_table,
    score_words,
)
from card_words import market_name, sentence, summary
from metaflow.cards import Markdown, MetaflowCardComponent, VegaChart

from pokewatch.pipeline import plots
from pokewatch.wording import counted

if TYPE_CHECKING:
    from pokewatch.monitoring.measurement import Measurement

EVENT_WORDS = {
    "session": "the events of one caller on one day, in one process of the gateway",
    "interval": "95%, for one look at the end: it allows for callers who differ and come back, and "
    "not for looking every day",
}
_RATES = {
    "sessions that judged a price": "judging",
    "BUY of the signals shown": "buy_shown",
    "BUY of the prices judged": "buy_judged",
}


def monitor_card(
    market: str, currency: str, found: "Measurement", limits: tuple[float, float, float]
) -> Iterator[MetaflowCardComponent]:
    """Past estimates against later prices, and drift.

    `limits` are the smallest and largest coverage, and the largest drift.
    """
    low, high, largest_drift = limits
    yield style()
    yield Markdown(f"# Model version {found.version} on {market_name(market)}, {found.measured_on}")
    yield Markdown(
        summary(
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
    yield score_words()
    covered = found.covered
    if covered.made_on:
        yield VegaChart(
            plots.coverage_plot(covered.made_on, covered.inside, covered.judged, low, high)
        )
    for each in found.calibrations:
        if each.lag == found.horizon:
            yield VegaChart(plots.reliability_plot(each.reliability))
            yield Markdown("By price and liquidity:")
            yield groups_table(each.groups, currency)
            yield glossary(GROUP_WORDS)
    yield Markdown("## Incoming prices")
    yield Markdown("The last days compared with the eight weeks before them, by day.")
    yield VegaChart(plots.drift_plot(found.days, found.degrees, largest_drift))


def experiment_card(found: Mapping[str, Any] | None, done: str) -> Iterator[MetaflowCardComponent]:
    """The newest experiment, and what was done."""
    if found is None:
        return
    title = f"{found['challenger']} against {found['champion']}"
    yield Markdown(f"## Experiment {found['number']}: {title}")
    yield Markdown(sentence(done or found["outcome"] or "it is running"))
    if not found["days"]:
        yield Markdown("There is no result yet.")
        return
    yield experiment_table(found)
    yield from map(VegaChart, plots.experiment_plots(found["series"], found["threshold"]))
    yield glossary(EXPERIMENT_WORDS)


def events_card(experiments: Sequence[Mapping[str, Any]]) -> Iterator[MetaflowCardComponent]:
    """The events of the newest experiment in the event log, by arm."""
    if not experiments:
        return
    found = experiments[0]
    name = f"in experiment {found['experiment']}" if found["experiment"] else "in no experiment"
    yield Markdown(f"## What callers did {name}")
    yield Markdown(
        f"{counted(found['events'], 'event')} from {found['first_day']} to {found['last_day']}."
    )
    arms, differences = found["arms"], found["differences"]
    counts = {
        "signals shown": "exposures",
        "prices judged": "outcomes",
        "sessions": "sessions",
        "callers, at least": "callers",
    }
    both = len(arms) > 1
    rows = [
        [title, *(f"{arm[key]:,}" for arm in arms), *[""] * both] for title, key in counts.items()
    ]
    rows += [
        [title, *(rate_text(arm[key]) for arm in arms), *[rate_text(differences[key], "+")] * both]
        for title, key in _RATES.items()
    ]
    titles = [*(arm["arm"] for arm in arms), *["difference"] * both]
    yield html_table([Column("figure"), *(Column(each, number=True) for each in titles)], rows)
    yield glossary(EVENT_WORDS)


def rate_text(found: Mapping[str, Any], sign: str = "") -> str:
    """Return a rate or a difference with its interval."""
    if found["value"] is None:
        return "-"
    value, low, high = (
        "" if each is None else f"{each:{sign}.1%}"
        for each in (found["value"], found["low"], found["high"])
    )
    return f"{value} ({low} to {high})" if low else value


def action_card(market: str, retrain: bool, why: str) -> Iterator[MetaflowCardComponent]:
    """The action taken."""
    yield style()
    yield Markdown(
        f"# The models of {market_name(market)} are {'' if retrain else 'not '}retrained"
    )
    yield Markdown(sentence(why))
