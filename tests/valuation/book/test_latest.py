import numpy as np
import pyarrow as pa
import pytest

from pokewatch.errors import BookError
from pokewatch.valuation.book.latest import (
    LATEST_SCHEMA,
    last_quotes,
    latest_table,
    latest_values,
)
from pokewatch.valuation.book.layout import COLUMNS, NO_PRICE


def columns(cards: int, days: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(cards)
    found = {
        name: random.integers(0, 9, (cards, days)).astype(dtype) for name, dtype in COLUMNS.items()
    }
    found["market"][random.random((cards, days)) < 0.7] = NO_PRICE
    return found


def test_the_last_day_of_each_column_comes_back() -> None:
    given = columns(50, 6)
    table = latest_table(given)
    assert table.schema == LATEST_SCHEMA
    found = latest_values(table)
    for name, values in given.items():
        np.testing.assert_array_equal(found[name], values[:, -1])
        assert found[name].dtype == COLUMNS[name]
    last = [
        next((cents for cents in card[::-1] if cents != NO_PRICE), NO_PRICE)
        for card in given["market"].tolist()
    ]
    assert found["last_quote"].tolist() == last
    assert NO_PRICE in last


def test_a_quote_after_the_day_is_not_its_last() -> None:
    market = np.array([[1, NO_PRICE, 3], [NO_PRICE, NO_PRICE, 3]], dtype=np.int32)
    asked = [0, 0, 0, 1, 1, 1]
    found = last_quotes(market, np.array(asked), np.array([0, 1, 2, 0, 1, 2]))
    assert found.tolist() == [1, 1, 3, NO_PRICE, NO_PRICE, 3]


def test_a_file_of_two_batches_is_refused() -> None:
    part = latest_table(columns(3, 2))
    with pytest.raises(BookError, match=r"latest\.arrow contains 2 batches, wanted 1"):
        latest_values(pa.concat_tables([part, part]))
