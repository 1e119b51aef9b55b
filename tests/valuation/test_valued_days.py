import numpy as np
import pytest

from pokewatch.valuation.book import BookRows
from pokewatch.valuation.models import create
from pokewatch.valuation.valued_days import book_rows, valued_days
from pokewatch.valuation.walk_forward import walk_forward
from tests.valuation.panels import market_like, panel_of

PANEL = panel_of(market_like(50, 11), low=market_like(50, 11, seed=1))


def joined(blocks: list[BookRows], field: str) -> np.ndarray:
    return np.concatenate([getattr(block, field) for block in blocks])


def test_a_book_holds_the_last_days_of_every_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pokewatch.valuation.valued_days._BLOCK", 4)
    model = create("local_level", 3).fit(PANEL)
    blocks = list(book_rows(PANEL, valued_days(model, PANEL, 20)))
    assert [len(block.card_id) for block in blocks] == [4, 4, 3]
    assert [card for block in blocks for card in block.card_id] == PANEL.card_id.tolist()
    np.testing.assert_array_equal(blocks[0].dates, PANEL.dates[-20:])
    np.testing.assert_array_equal(joined(blocks, "market"), np.asarray(PANEL.market)[-20:].T)
    assert PANEL.low is not None
    np.testing.assert_array_equal(joined(blocks, "low"), np.asarray(PANEL.low)[-20:].T)
    for features, values in walk_forward(PANEL, "local_level", 3, range(30, 50)):
        for field in ("fair", "lower", "upper"):
            np.testing.assert_array_equal(
                joined(blocks, field)[:, features.day - 30],
                getattr(values, field).astype(np.float32),
            )
        np.testing.assert_array_equal(joined(blocks, "status")[:, features.day - 30], values.status)


def test_the_last_day_has_the_values_of_the_model_itself() -> None:
    model = create("local_level", 3).fit(PANEL)
    (block,) = book_rows(PANEL, valued_days(model, PANEL, 5))
    np.testing.assert_array_equal(block.fair[:, -1], model.value(PANEL, 49).fair.astype(np.float32))


def test_a_short_history_gives_a_short_book() -> None:
    (block,) = book_rows(PANEL, valued_days(create("median7", 3).fit(PANEL), PANEL, 400))
    assert block.fair.shape == (11, 50)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        list(book_rows(PANEL, valued_days(create("median7", 3).fit(PANEL), PANEL, 0)))


def test_a_panel_without_asks_gives_a_book_without_them() -> None:
    panel = panel_of(market_like(10, 3))
    (block,) = book_rows(panel, valued_days(create("median7", 2).fit(panel), panel, 10))
    assert np.isnan(block.low).all()
