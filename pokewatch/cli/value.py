"""`pokewatch value`."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from pokewatch.cli.options import Day, Price, json_option
from pokewatch.cli.output import format_percent, format_price, print_json, print_table, print_text

if TYPE_CHECKING:
    from pokewatch.registry import RegisteredModel
    from pokewatch.valuation.book import PriceBook

_COLUMNS = ("card", "date", "market", "fair", "interval", "deviation", "signal", "reason")


@click.command()
@click.argument("cards", nargs=-1)
@click.option(
    "--price", type=Price(), help="Compare this price with the fair price, not the market price."
)
@click.option("--date", "day", type=Day(), help="Day of the estimate. Default: the latest.")
@click.option(
    "--sample",
    type=click.IntRange(1, 1000),
    help="Also show this many cards, those with the strongest signals first.",
)
@json_option
def value(
    cards: tuple[str, ...], price: float | None, day: date | None, sample: int | None, as_json: bool
) -> None:
    """Show the fair price of CARDS, given by id or slug.

    For each card: market price, fair price, interval, signal and reason, by the champion model.

    \b
      pokewatch value --sample 5
      pokewatch value emberfox_ex_199 --price 12.50
    """
    from pokewatch.valuation.signals import strongest_signals, value_cards

    if not cards and sample is None:
        raise click.UsageError("no card given: add an id or slug, or --sample N")
    book, model = champion_book()
    wanted = [*cards, *(strongest_signals(book, sample) if sample else ())]
    versions = {
        "model_version": model.version,
        "data_version": model.data_version,
        "not_evaluated": book.facts.not_evaluated or None,
    }
    rows = [{**row, **versions} for row in value_cards(book, wanted, day=day, price=price)]
    if as_json:
        print_json(rows)
        return
    print_table(rows, _COLUMNS, _cells)
    _print_origin(book.facts, model)


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
    )
