from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.monitoring.outcomes import deployed_on, is_due, issue_of, outcomes, was_champion
from pokewatch.registry import DEPLOYED_AT, LAST_DAY, RegisteredModel
from pokewatch.valuation.book import PriceBook, write_book
from pokewatch.valuation.signals import value_cards
from pokewatch.valuation.track_record import FORECAST_SCHEMA, LATE, OTHER_MARKET, Issue
from tests.monitoring.test_calibration import FIRST, day, panel
from tests.serving.books import FACTS, catalog, rows

CARDS = 20


def champion(deployed: str, last: int = 45) -> RegisteredModel:
    tags = {DEPLOYED_AT: deployed, LAST_DAY: day(last).isoformat(), "source": "simulated"}
    return RegisteredModel("7", "run", "d" * 64, "dv", tags)


@pytest.fixture
def book(tmp_path: Path) -> PriceBook:
    """A book to day 45 whose second card has no fair price."""
    values = rows(CARDS, days=40)
    values = replace(values, dates=FIRST + np.arange(6, 46))
    folder = tmp_path / "book"
    return PriceBook.open(folder, write_book(folder, catalog(CARDS), values, FACTS))


def issue(book: PriceBook, deployed_at: str, currency: str = "USD") -> Issue:
    model = champion(deployed_at)
    return issue_of(model, book, currency, deployed_on(model))


def test_an_issue_counts_its_forecasts(book: PriceBook) -> None:
    found = issue(book, f"{day(46)}T02:00:00")
    assert (found.issued_on, found.due_on, found.horizon) == (day(45), day(52), 7)
    assert (found.forecasts, found.unvalued, found.open) == (CARDS - 1, 1, True)


def test_issues_that_are_no_part_of_the_record(book: PriceBook) -> None:
    assert issue(book, f"{day(52)}T23:59:59").open
    assert issue(book, f"{day(53)}T00:00:00").excluded == LATE
    assert issue(book, f"{day(46)}T00:00:00", "EUR").excluded == OTHER_MARKET
    assert was_champion(champion("2025-01-01"), "simulated")
    assert not was_champion(champion("2025-01-01"), "tcgcsv")
    never = replace(champion(""), tags={LAST_DAY: "2025-01-01", "source": "simulated"})
    assert not was_champion(never, "simulated")


def test_an_issue_is_due_once_its_day_has_prices(book: PriceBook) -> None:
    found = issue(book, f"{day(46)}T02:00:00")
    assert not is_due(panel().up_to(51), found)
    assert is_due(panel().up_to(52), found)
    assert not is_due(panel().after(46), found), "the day of the issue is not in the panel"


def test_every_forecast_is_as_the_api_stated_it(book: PriceBook) -> None:
    found = issue(book, f"{day(46)}T02:00:00")
    prices = panel()
    market = prices.market * np.linspace(1, 2, prices.days)[:, None]  # another price every day
    table = outcomes(replace(prices, market=market), found, book)
    assert table.schema.equals(FORECAST_SCHEMA)
    recorded = table.to_pylist()
    stated = value_cards(book, [row["card_id"] for row in recorded])
    names = {"last_price": "market_price", "fair_price": "fair_price"} | {
        name: name for name in ("lower", "upper", "status", "signal", "confidence", "slug", "name")
    }
    for row, value in zip(recorded, stated, strict=True):
        assert {name: row[name] for name in names} == {
            name: value[there] for name, there in names.items()
        }
    assert [row["outcome"] for row in recorded] == [
        market[52, prices.card_id.tolist().index(row["card_id"])] for row in recorded
    ]


def test_a_price_is_renewed_between_the_forecast_and_its_day(book: PriceBook) -> None:
    """Those after the tenth card are, on day 50; that of day 45 was known to the forecast."""
    prices = panel()
    fresh = prices.fresh.copy()
    fresh[45] = fresh[53] = True
    found = outcomes(replace(prices, fresh=fresh), issue(book, f"{day(46)}T02:00:00"), book)
    number = [int(row["card_id"].split("-")[1]) for row in found.to_pylist()]
    assert found["renewed"].to_pylist() == [each >= 10 for each in number]


def test_prices_after_the_day_change_nothing(book: PriceBook) -> None:
    found = issue(book, f"{day(46)}T02:00:00")
    assert outcomes(panel(), found, book).equals(outcomes(panel().up_to(52), found, book))


def test_a_card_that_is_not_in_the_prices_any_more(book: PriceBook) -> None:
    found = issue(book, f"{day(46)}T02:00:00")
    remaining = panel()
    listed = remaining.select(remaining.card_id != "tcgplayer-5-normal")
    by_card = {row["card_id"]: row for row in outcomes(listed, found, book).to_pylist()}
    assert len(by_card) == CARDS - 1
    lost = by_card["tcgplayer-5-normal"]
    assert [lost[name] for name in ("outcome", "median7", "liquidity", "renewed")] == [None] * 4
    assert lost["last_price"] is not None
    assert by_card["tcgplayer-6-normal"]["outcome"] is not None
