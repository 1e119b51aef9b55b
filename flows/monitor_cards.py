"""The cards of the monitoring flow."""

from collections.abc import Iterator, Mapping
from typing import Any

from card_html import glossary, style
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
from metaflow.cards import Image, Markdown, MetaflowCardComponent

from pokewatch.monitoring.measurement import Measurement
from pokewatch.pipeline import plots


def monitor_card(
    source: str, currency: str, found: Measurement, limits: tuple[float, float, float]
) -> Iterator[MetaflowCardComponent]:
    """Past estimates against later prices, and drift.

    `limits` are the smallest and largest coverage, and the largest drift.
    """
    low, high, largest_drift = limits
    yield style()
    yield Markdown(f"# Model version {found.version} on {market_name(source)}, {found.measured_on}")
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
        yield Image.from_matplotlib(
            plots.coverage_plot(covered.made_on, covered.inside, covered.judged, low, high)
        )
    for each in found.calibrations:
        if each.lag == found.horizon:
            yield Image.from_matplotlib(plots.reliability_plot(each.reliability))
            yield Markdown("By price and liquidity:")
            yield groups_table(each.groups, currency)
            yield glossary(GROUP_WORDS)
    yield Markdown("## Incoming prices")
    yield Markdown("The last days compared with the eight weeks before them, by day.")
    yield Image.from_matplotlib(plots.drift_plot(found.days, found.degrees, largest_drift))


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
    yield Image.from_matplotlib(plots.experiment_plot(found["series"], found["threshold"]))
    yield glossary(EXPERIMENT_WORDS)


def action_card(source: str, retrain: bool, why: str) -> Iterator[MetaflowCardComponent]:
    """The action taken."""
    yield style()
    yield Markdown(
        f"# The models of {market_name(source)} are {'' if retrain else 'not '}retrained"
    )
    yield Markdown(sentence(why))
