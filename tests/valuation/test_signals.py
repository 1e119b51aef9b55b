from pathlib import Path

from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.signals import strongest_signals, value_cards
from tests.serving.books import make_book


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
