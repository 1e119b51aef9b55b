"""Golden requests, from small price books."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pokewatch.deploy.golden import GoldenRequests, fair_price_shift
from pokewatch.valuation.book import PriceBook
from tests.serving.books import make_book


def book(folder: Path, **given: Any) -> PriceBook:
    return PriceBook.open(folder, make_book(folder, **given))


def answer(golden: GoldenRequests, **outputs: list[Any]) -> dict[str, Any]:
    """Return a server's answer, with some outputs replaced."""
    known = {
        name: [None if np.isnan(value) else value for value in values]
        for name, values in golden.prices.items()
    }
    columns = {**known, "status": list(golden.status), **outputs}
    return {
        "parameters": {"model_version": golden.version},
        "outputs": [{"name": name, "data": data} for name, data in columns.items()],
    }


@pytest.mark.parametrize("count", [1, 2, 7, 40, 500])
def test_cards_are_from_all_over_the_book(count: int, tmp_path: Path) -> None:
    golden = GoldenRequests.from_book(book(tmp_path / "book"), "2", count)
    assert len(golden.cards) == len(set(golden.cards)) == min(count, 40)
    assert golden.cards[0] == "tcgplayer-0-normal"
    assert count == 1 or golden.cards[-1] == "tcgplayer-39-normal"
    assert golden.mismatch(answer(golden)) == ""


def test_every_kind_of_wrong_answer_is_reported(tmp_path: Path) -> None:
    golden = GoldenRequests.from_book(book(tmp_path / "book"), "2", 40)
    assert golden.status.count("thin_history") == 1
    off = [value * 1.01 if value else None for value in answer(golden)["outputs"][2]["data"]]
    for wrong, expected in (
        (answer(golden, lower=off), "39 of 40 cards"),
        (answer(golden, status=["ok"] * 40), "1 of 40 cards"),
        (answer(golden, status=["ok"] * 39), "invalid answer"),
        ({"outputs": []}, "invalid answer"),
        (
            answer(golden) | {"parameters": {"model_version": "1"}},
            "answered by model version 1, not 2",
        ),
    ):
        assert expected in golden.mismatch(wrong)


def test_a_shift_is_of_fair_over_market_price(tmp_path: Path) -> None:
    former = book(tmp_path / "former")
    assert fair_price_shift(book(tmp_path / "later", days=9), former) == pytest.approx(
        0.0, abs=1e-6
    )
    assert fair_price_shift(book(tmp_path / "half", scale=0.5), former) == pytest.approx(
        1.0, rel=1e-6
    )
    assert fair_price_shift(book(tmp_path / "double", scale=2.0), former) == pytest.approx(
        1.0, rel=1e-6
    )
