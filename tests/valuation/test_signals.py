from pathlib import Path

import pytest

from pokewatch.errors import SettingsError
from pokewatch.valuation.book import PriceBook, write_book
from pokewatch.valuation.signals import (
    configured_fees,
    strongest_signals,
    strongest_values,
    value_cards,
)
from tests.serving.books import FACTS, catalog, make_book, rows


def test_a_card_without_a_market_price(tmp_path: Path) -> None:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", 4, unquoted=[2]))
    names = (
        "market_price",
        "fair_price",
        "lower",
        "upper",
        "signal",
        "deviation_pct",
        "confidence",
        "reason",
    )
    [card, other] = value_cards(book, ["card_2", "card_3"])
    assert [card[name] for name in names] == [
        None,
        3.04,
        2.432,
        3.8,
        "HOLD",
        None,
        None,
        "no_market_price",
    ]
    assert other["reason"] == "within_thresholds"
    [offered] = value_cards(book, ["card_2"], price=2.0)
    assert (offered["market_price"], offered["signal"], offered["reason"]) == (
        2.0,
        "BUY",
        "below_threshold",
    )
    assert set(strongest_signals(book, 4)) == {f"tcgplayer-{number}-normal" for number in range(4)}


def test_advice_has_its_currency_and_its_fees(tmp_path: Path) -> None:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", 40))
    [card] = value_cards(book, ["card_30"])
    assert (card["currency"], card["fees"], card["advice"]) == ("USD", "tcgplayer", "ok")
    assert 0 < card["buy_below"] < card["fair_price"] < card["sell_above"]
    [bargain] = value_cards(book, ["card_30"], price=card["buy_below"])
    assert bargain["chance_to_earn"] >= 0.8
    [ebay] = value_cards(book, ["card_30"], fees="ebay")
    assert ebay["fees"] == "ebay"
    assert ebay["buy_below"] == card["buy_below"]  # both take 13.25% and 0.30
    with pytest.raises(ValueError, match="cardmarket are in EUR, the prices in USD: use tcgplayer"):
        value_cards(book, ["card_30"], fees="cardmarket")


def test_a_copy_in_another_condition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", 40))
    [mint] = value_cards(book, ["card_30"], price=20.0)
    [played] = value_cards(book, ["card_30"], price=20.0, condition="LP")
    assert played["fair_price"] == pytest.approx(0.85 * mint["fair_price"])
    monkeypatch.setenv("POKEWATCH_CONDITION_LP", "0.6")
    [worn] = value_cards(book, ["card_30"], price=20.0, condition="LP")
    assert worn["fair_price"] == pytest.approx(0.6 * mint["fair_price"])
    assert worn["confidence"] is not None
    assert worn["buy_below"] < played["buy_below"] < mint["buy_below"]


def test_settings_of_the_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", 40))
    [usual] = value_cards(book, ["card_30"])
    monkeypatch.setenv("POKEWATCH_POSTAGE", "3.30")
    [posted] = value_cards(book, ["card_30"])
    assert posted["buy_below"] == pytest.approx(usual["buy_below"] - 2.0)
    monkeypatch.setenv("POKEWATCH_ADVICE_PROBABILITY", "0.9")
    [surer] = value_cards(book, ["card_30"])
    assert surer["buy_below"] < posted["buy_below"]
    assert surer["sell_above"] > posted["sell_above"]
    monkeypatch.setenv("POKEWATCH_FEES", "cardmarket")
    with pytest.raises(SettingsError, match=r"^POKEWATCH_FEES 'cardmarket': the fees"):
        configured_fees("USD")
    assert configured_fees("USD", "ebay").name == "ebay"


def test_the_strongest_signals_with_their_advice(tmp_path: Path) -> None:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", 40))
    assert [row["card_id"] for row in strongest_values(book, 3)] == strongest_signals(book, 3)


def test_pennies_are_no_strong_signals(tmp_path: Path) -> None:
    """All are a BUY; the first card, of a few cents, is the farthest below its fair price."""
    values = rows(4, scale=1.5)
    values.market[0], values.low[0] = 0.05, 0.04
    book = PriceBook.open(tmp_path, write_book(tmp_path, catalog(4), values, FACTS))
    assert strongest_signals(book, 4)[-1] == "tcgplayer-0-normal"
