"""`pokewatch search`."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from pokewatch.cli.card_choice import described
from pokewatch.cli.market_choice import champion_book, chosen_registry, market_option
from pokewatch.cli.options import json_option
from pokewatch.cli.output import (
    format_price,
    print_fields,
    print_json,
    print_text,
    print_wrapped,
    warn_of_old_prices,
)
from pokewatch.errors import UnknownCardError


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--set", "set_name", help="Only cards of this set, by name or id.")
@click.option("--rarity", help="Only cards of this rarity.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Number of cards to show.",
)
@market_option
@json_option
def search(
    words: tuple[str, ...], set_name: str | None, rarity: str | None, limit: int, as_json: bool
) -> None:
    """Find cards by WORDS of their name, number and set.

    The words may be in any order, or the id of a TCGplayer product. Where no card has them all,
    those with similar names are shown, unless --set or --rarity is given.

    \b
      pokewatch search charizard 199
      pokewatch search mewtwo --set "Scarlet & Violet 151"
    """
    from pokewatch.valuation.signals import finite

    registry = chosen_registry()
    book, model = champion_book(registry)
    text = " ".join(words)
    found = book.cards.search(text, set_name, rarity, limit=limit + 1)
    exact = len(found) > 0
    if not exact and not (set_name or rarity):
        found = book.suggestions.find(text, limit)
    if len(found) == 0:
        filters = (("set", set_name), ("rarity", rarity))
        named = " and ".join(f"{name} {value!r}" for name, value in filters if value)
        if named:
            raise UnknownCardError(text, among=f"the cards with the {named}")
        raise UnknownCardError(text, book.cards.near(text))
    shown, currency = found[:limit], book.facts.currency
    latest = book.latest()
    rows = [
        {
            **card,
            "date": str(book.last_day),
            "currency": currency,
            "market_price": finite(latest.market[position]),
            "fair_price": finite(latest.fair[position]),
            "status": str(latest.status[position]),
            "model_version": model.version,
            "data_version": model.data_version,
        }
        for position, card in zip(shown, book.cards.describe(shown), strict=True)
    ]
    if as_json:
        print_json(rows)
    else:
        _print(rows, exact, more=exact and len(found) > limit)
        print_wrapped(f"prices of {book.last_day}, model version {model.version}")
    warn_of_old_prices(book.last_day, registry.market, book.facts.market)


def _print(rows: Sequence[Mapping[str, Any]], exact: bool, more: bool) -> None:
    if not exact:
        print_text("no card has all the words; similar ones:")
    for row in rows:
        print_text(row["slug"])
        prices = (
            f"{name} {format_price(row[f'{name}_price'], row['currency'])}"
            for name in ("market", "fair")
        )
        print_fields([described(row), *prices])
    if more:
        print_text(f"... and more than these {len(rows)}; add words, or --limit")
