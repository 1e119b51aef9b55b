"""`pokewatch search`."""

import numpy as np

from pokewatch.valuation.book import PriceBook
from tests.cli.commands import run, run_json


def test_search_finds_cards_by_words(book: PriceBook) -> None:
    (card,) = book.cards.describe(np.array([5]))
    rows = run_json("search", card["set_name"].lower(), card["number"])
    assert card["card_id"] in [row["card_id"] for row in rows]
    assert {row["currency"] for row in rows} == {"USD"}
    shown = run("search", card["set_name"], "--limit", "3").stdout
    assert "... and more than these 3" in shown
    assert " USD" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_search_shows_similar_cards_where_no_card_has_the_words(book: PriceBook) -> None:
    (card,) = book.cards.describe(np.array([5]))
    name = card["name"].split()[0]
    misspelt = name[:2] + name[3] + name[2] + name[4:]
    result = run("search", misspelt)
    assert result.exit_code == 0, result.output
    assert "no card has all the words; similar ones:" in result.stdout
    assert name in result.stdout


def test_search_names_the_set_in_which_no_card_has_the_words(book: PriceBook) -> None:
    (card,) = book.cards.describe(np.array([0]))
    result = run("search", card["name"], "--set", "No Set", "--rarity", "Rare")
    assert result.exit_code == 3
    among = "the cards with the set 'No Set' and rarity 'Rare'"
    assert result.stderr == f"Error: unknown card {card['name']!r} among {among}\n"


def test_search_without_any_similar_card_is_an_error(book: PriceBook) -> None:
    result = run("search", "zzzzzz", "qqqqqq")
    assert result.exit_code == 3
    assert "unknown card 'zzzzzz qqqqqq'" in result.stderr
