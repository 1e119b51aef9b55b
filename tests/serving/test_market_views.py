from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.market_views import BookChangesQuery, changes
from pokewatch.serving.record_reader import RecordReader
from pokewatch.valuation.book import PriceBook, write_book
from pokewatch.valuation.book.cards import Cards
from tests.serving.books import FACTS, catalog, forecasts, rows
from tests.serving.server import Server
from tests.serving.test_catalog import answer, ask


def slugs(cards: list[dict[str, Any]]) -> list[str]:
    return [card["slug"] for card in cards]


def test_suggestions(server: Server) -> None:
    found = answer(server, "suggestions", {"q": "pokemn 12", "limit": 3})
    assert slugs(found["cards"]) == ["card_12"]


def test_printings_of_a_card_without_others(server: Server) -> None:
    assert answer(server, "printings", {"card_id": "card_2"})["cards"] == []
    assert ask(server, "printings", {"card_id": "nobody"}).status_code == 404


def test_sets_have_the_cost_of_one_copy_of_each(server: Server) -> None:
    found = answer(server, "sets", {})
    assert found["date"] == "2026-01-05"
    assert [row["set_id"] for row in found["sets"]] == ["set3", "set2", "set1", "set0"]
    first = found["sets"][-1]
    assert (first["set_name"], first["cards"]) == ("Set 0", 10)
    assert first["total"] == pytest.approx(sum(range(1, 11)) + 0.04 * first["priced"], abs=8.1)


def test_a_set(server: Server) -> None:
    found = answer(server, "set", {"set_id": "set1"})
    assert (found["set_name"], found["cards"], found["priced"]) == ("Set 1", 10, 10)
    assert slugs(found["top"]) == [f"card_{i}" for i in range(19, 9, -1)]
    assert found["index"][0] == 100.0
    assert found["index"][-1] == pytest.approx(100 * 155.4 / 155, abs=1e-3)
    assert len(found["dates"]) == len(found["index"]) == 5


def test_an_unknown_set(server: Server) -> None:
    response = ask(server, "set", {"set_id": "set9"})
    assert (response.status_code, response.json()["error"]) == (404, "unknown set 'set9'")


def test_the_index_rises_from_100_with_the_prices(server: Server) -> None:
    found = answer(server, "index", {})
    assert (found["currency"], found["source"], found["cards"]) == ("USD", "simulated", 40)
    assert found["index"][0] == 100.0
    assert all(
        later > earlier for earlier, later in zip(found["index"], found["index"][1:], strict=False)
    )


def test_changes_over_a_day(server: Server) -> None:
    found = answer(server, "changes", {"days": 1, "limit": 2, "min_price": 2.0})
    assert (found["date"], found["since"]) == ("2026-01-05", "2026-01-04")
    assert slugs(found["up"]) == ["card_1", "card_2"]
    top = found["up"][0]
    assert (top["price_before"], top["market_price"]) == (2.03, 2.04)
    assert top["change_pct"] == pytest.approx(0.01 / 2.03, abs=1e-6)
    assert top["alone"] is False
    assert found["down"] == []


def test_changes_are_those_since_the_last_day_with_prices(tmp_path: Path) -> None:
    values = rows(3, days=40)
    values.market[:, [*range(10), 31, 32]] = np.nan
    digest = write_book(tmp_path / "book", catalog(3), values, FACTS, forecasts(values))
    book = PriceBook.open(tmp_path / "book", digest)
    loaded = LoadedBook(book, "7", "dv-1", "run-1", RecordReader(tmp_path / "record"))
    day, week, month = (changes(loaded, BookChangesQuery(days=days)) for days in (1, 7, 30))
    for found, since in ((day, 38), (week, 30)):
        assert found["since"] == str(book.dates[since])
        assert len(found["up"]) == 3
        assert found["up"][0]["price_before"] == values.market[0, since]
    assert (month["since"], month["up"]) == (None, [])


def test_a_change_is_that_of_one_printing_where_the_others_stayed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are not looked up card by card: of 2,000 changes that took two thirds of a second."""
    numbers = np.random.default_rng(3)
    cards, values = catalog(90), rows(90)
    for field in ("name", "number"):
        texts = pa.array([f"{at // 3}" for at in range(90)])
        cards = cards.set_column(cards.schema.get_field_index(field), field, texts)
    values.market[:, -1] *= numbers.choice([0.8, 0.97, 1.02, 1.3, np.nan], 90)
    digest = write_book(tmp_path / "book", cards, values, FACTS, forecasts(values))
    book = PriceBook.open(tmp_path / "book", digest)
    loaded = LoadedBook(book, "7", "dv-1", "run-1", RecordReader(tmp_path / "record"))
    moves = book.latest().market / book.market_prices.on(3) - 1
    printings = {at: moves[book.cards.printings(at)] for at in range(90)}
    monkeypatch.delattr(Cards, "printings")
    found = changes(loaded, BookChangesQuery(days=1, min_price=0))
    shown = {row["slug"]: row["alone"] for row in [*found["up"], *found["down"]]}
    for slug, alone in shown.items():
        others = [move for move in printings[book.cards.position(slug)] if np.isfinite(move)]
        assert alone == (bool(others) and all(abs(move) <= 0.05 for move in others)), slug
    assert set(shown.values()) == {True, False}


def test_changes_of_a_set(server: Server) -> None:
    found = answer(server, "changes", {"days": 1, "set": "set2", "rarity": "rare"})
    assert slugs(found["up"]) == ["card_21", "card_24", "card_27"]


def test_changes_over_more_days_than_the_book_has(server: Server) -> None:
    found = answer(server, "changes", {"days": 7})
    assert (found["since"], found["up"], found["down"]) == (None, [], [])


@pytest.mark.parametrize(
    ("query", "payload"),
    [
        ("suggestions", {}),
        ("suggestions", {"q": "x" * 201}),
        ("suggestions", {"q": "x", "limit": 21}),
        ("set", {}),
        ("changes", {"days": 2}),
        ("changes", {"min_price": -1.0}),
        ("index", {"q": "x"}),
    ],
)
def test_invalid_parameters(server: Server, query: str, payload: Any) -> None:
    response: httpx.Response = ask(server, query, payload)
    assert response.status_code == 422, response.text


@pytest.mark.parametrize("sort", ["change", "amount", "price"])
def test_changes_are_in_the_order_asked_for(server: Server, sort: str) -> None:
    found = answer(server, "changes", {"days": 1, "limit": 40, "min_price": 0.0, "sort": sort})
    sizes_by: dict[str, Callable[[dict[str, Any]], float]] = {
        "change": lambda row: row["change_pct"],
        "amount": lambda row: round(row["market_price"] - row["price_before"], 6),
        "price": lambda row: row["market_price"],
    }
    size = sizes_by[sort]
    sizes = [size(row) for row in found["up"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) > 5
