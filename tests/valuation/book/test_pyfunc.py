from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pokewatch.errors import BookError
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.pyfunc import BookModel, _load_pyfunc
from tests.serving.books import make_book


@pytest.fixture
def book(tmp_path: Path) -> PriceBook:
    return PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", unquoted=[7]))


def test_cards_are_valued_as_the_book_has_them(book: PriceBook) -> None:
    asked = ["tcgplayer-3-normal", "card_4", "tcgplayer-7-normal", "no_such_card"]
    found = BookModel(book).predict(pd.DataFrame({"card_id": asked}))
    expected = book.look_up(asked)
    np.testing.assert_array_equal(found["fair_price"], expected.fair)
    np.testing.assert_array_equal(found["market_price"], expected.market)
    assert found["card_id"].tolist() == [
        "tcgplayer-3-normal",
        "tcgplayer-4-normal",
        "tcgplayer-7-normal",
        "no_such_card",
    ]
    assert found["status"].tolist() == expected.status.tolist()
    assert found["date"].tolist()[:2] == ["2026-01-05"] * 2


def test_dates_and_offers_are_of_each_row(book: PriceBook) -> None:
    asked = pd.DataFrame(
        {
            "card_id": ["card_3"] * 4,
            "date": ["2026-01-02", None, "", "2020-01-01"],
            "market_price": [np.nan, 9.5, -1.0, 2.0],
        }
    )
    found = BookModel(book).predict(asked)
    assert found["date"].tolist()[:3] == ["2026-01-02", "2026-01-05", "2026-01-05"]
    assert found["market_price"].tolist()[1:3] == [9.5, -1.0]
    assert found["status"].tolist()[2:] == ["invalid_price", "unknown_date"]
    with pytest.raises(ValueError, match="tomorrow"):
        BookModel(book).predict(pd.DataFrame({"card_id": ["card_3"], "date": ["tomorrow"]}))


def test_a_book_is_loaded_by_its_digest(book: PriceBook, tmp_path: Path) -> None:
    model = _load_pyfunc(str(tmp_path / "book"), {"digest": book.digest})
    assert len(model.predict(pd.DataFrame({"card_id": ["card_3"]}))) == 1
    with pytest.raises(BookError):
        _load_pyfunc(str(tmp_path / "book"), {"digest": "0" * 64})
