"""`pokewatch value`."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from pokewatch.cli.options import Day, Price, json_option, value_errors_as_usage
from pokewatch.cli.output import (
    format_percent,
    format_price,
    format_share,
    print_json,
    print_table,
    print_text,
)
from pokewatch.contract import CONDITIONS, FEE_CURRENCIES, NEAR_MINT, NO_BETTER, Condition, Fees
from pokewatch.valuation.skill import skill_of

if TYPE_CHECKING:
    from pokewatch.registry import RegisteredModel
    from pokewatch.valuation.book import PriceBook

_COLUMNS = (
    "card",
    "date",
    "market",
    "fair",
    "interval",
    "deviation",
    "signal",
    "reason",
    "buy below",
    "sell above",
    "chance to earn",
)


@click.command()
@click.argument("cards", nargs=-1)
@click.option(
    "--price", type=Price(), help="Compare this price with the fair price, not the market price."
)
@click.option(
    "--condition",
    type=click.Choice(CONDITIONS),
    help="Condition of the copy. Default: NM, near mint.",
)
@click.option(
    "--fees",
    type=click.Choice(list(FEE_CURRENCIES)),
    help="Marketplace whose fees apply. Default: by POKEWATCH_FEES or the currency of the prices.",
)
@click.option("--date", "day", type=Day(), help="Day of the estimate. Default: the latest.")
@click.option(
    "--sample",
    type=click.IntRange(1, 1000),
    help="Also show this many cards, those with the strongest signals first.",
)
@json_option
def value(
    cards: tuple[str, ...],
    price: float | None,
    condition: Condition | None,
    fees: Fees | None,
    day: date | None,
    sample: int | None,
    as_json: bool,
) -> None:
    """Show the fair price of CARDS, given by id or slug.

    For each card: market price, fair price, interval, signal and reason, by the champion model.
    "buy below" is the highest price at which buying now and selling at the horizon earns, after
    fees and postage, with the probability of POKEWATCH_ADVICE_PROBABILITY, "sell above" the lowest
    at which selling now beats keeping, and "chance to earn" that of buying at the price judged.
    The fair price of a copy in another condition than near mint is that times a factor, which is
    an assumption (POKEWATCH_CONDITION_LP and so on).

    \b
      pokewatch value --sample 5
      pokewatch value emberfox_ex_199 --price 12.50 --condition LP
    """
    from pokewatch.valuation.signals import strongest_signals, value_cards

    if not cards and sample is None:
        raise click.UsageError("no card given: add an id or slug, or --sample N")
    book, model = champion_book()
    wanted = [*cards, *(strongest_signals(book, sample) if sample else ())]
    versions = {
        "model_version": model.version,
        "data_version": model.data_version,
        "skill": skill_of(book.facts.metrics),
        "not_evaluated": book.facts.not_evaluated or None,
    }
    with value_errors_as_usage():
        values = value_cards(
            book, wanted, day=day, price=price, condition=condition or "NM", fees=fees
        )
    rows = [{**row, **versions} for row in values]
    if as_json:
        print_json(rows)
        return
    print_table(rows, _COLUMNS, _cells)
    _print_origin(book.facts, model)
    _print_terms(values[0])


def champion_book() -> "tuple[PriceBook, RegisteredModel]":
    """Return the price book of the champion, and the champion."""
    from pokewatch.registry import Registry

    registry = Registry()
    champion = registry.resolve()
    return registry.open_book(champion), champion


def _print_origin(facts: Any, model: "RegisteredModel") -> None:
    prices = "simulated prices" if facts.source == "simulated" else "prices"
    print_text(f"{prices} in {facts.currency}; 90% intervals, {facts.horizon} days ahead")
    print_text(f"model version {model.version} ({facts.model}), data version {model.data_version}")
    if facts.not_evaluated:
        print_text(facts.not_evaluated)
        return
    skill = skill_of(facts.metrics)
    what = ": only the interval and offered prices add information" * (skill == NO_BETTER)
    print_text(f"evaluation of the fair price: {skill}{what}")


def _print_terms(value: Mapping[str, Any]) -> None:
    from pokewatch.settings import DecisionSettings
    from pokewatch.valuation.signals import configured_fees

    settings = DecisionSettings.read()
    fees = configured_fees(value["currency"], value["fees"])
    print_text(
        f"buy below, sell above: with a probability of {settings.advice_probability:.0%}, after "
        f"the fees of {fees.name} and {fees.postage:.2f} {fees.currency} postage"
    )
    condition = value["condition"]
    if condition != NEAR_MINT:
        factor = settings.condition_factors()[condition]
        print_text(f"condition {condition}: {factor:g} of the near mint fair price, an assumption")


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    lower, upper = row["lower"], row["upper"]
    interval = "-" if None in (lower, upper) else f"{lower:,.2f} - {upper:,.2f}"
    return (
        row["slug"],
        row["date"],
        format_price(row["market_price"]),
        format_price(row["fair_price"]),
        interval,
        format_percent(row["deviation_pct"]),
        row["signal"],
        row["reason"],
        format_price(row["buy_below"]),
        format_price(row["sell_above"]),
        format_share(row["chance_to_earn"]),
    )
