"""Cards by id, slug or name; of several with a name, the one that the user chooses."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pokewatch.cli.output import without_controls
from pokewatch.errors import AmbiguousCardError

if TYPE_CHECKING:
    from pokewatch.valuation.book import PriceBook

_SHOWN = 20
_MOST = 100_000  # cards that a name is looked up in


def find_cards(book: "PriceBook", given: Sequence[str], *, ask: bool) -> list[str]:
    """Return the id of each card given by id, slug or words of its name, number and set.

    Where several fit, the user is asked if `ask` is set and there is a terminal. Raise
    UnknownCardError with similar cards, AmbiguousCardError with those that fit.
    """
    return [_find(book, text, ask) for text in given]


def described(card: Mapping[str, Any]) -> str:
    """Return a card's name, set, number, printing and language in one line."""
    language = card["language"] if card["language"] not in (None, "English") else None
    parts = (card["name"], card["set_name"], card["number"], card["printing"], language)
    return ", ".join(part for part in parts if part)


def _find(book: "PriceBook", text: str, ask: bool) -> str:
    ids = book.cards.ids
    known = int(book.cards.positions([text])[0])
    if known >= 0:
        return ids[known]
    found = book.cards.search(text, limit=_MOST)
    if len(found) == 0 or not text.strip():
        return ids[book.cards.position(text)]
    if len(found) == 1:
        return ids[int(found[0])]
    cards = book.cards.describe(found[:_SHOWN])
    if ask and sys.stdin.isatty() and sys.stderr.isatty():
        return _chosen(text, len(found), cards)
    choices = [(card["card_id"], described(card)) for card in cards]
    raise AmbiguousCardError(text, len(found), choices)


def _chosen(text: str, count: int, cards: Sequence[Mapping[str, Any]]) -> str:
    click.echo(f"{text!r} may be {count:,} cards:", err=True)
    for number, card in enumerate(cards, 1):
        click.echo(without_controls(f"{number:4}  {described(card)}"), err=True)
    if count > len(cards):
        click.echo(f"      and {count - len(cards):,} more: add words to the name", err=True)
    number = click.prompt("Which one?", type=click.IntRange(1, len(cards)), err=True)
    return str(cards[number - 1]["card_id"])
