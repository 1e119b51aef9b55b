from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.valuation.book import STATUSES, HorizonForecasts, PriceBook, write_book
from tests.serving.books import FACTS, catalog, rows

FAIR = np.array([[1.0, 2.5, np.nan], [1.1, 2.75, np.nan]], dtype=np.float32)
STATUS = np.array([[0, 0, STATUSES.index("thin_history")]] * 2, dtype=np.int8)
FURTHER = HorizonForecasts(
    (30, 90), FAIR, FAIR * np.float32(0.5), FAIR * np.float32(2.0), status=STATUS
)


def written(folder: Path, forecasts: HorizonForecasts | None) -> PriceBook:
    digest = write_book(folder, catalog(3), rows(3), FACTS, forecasts)
    return PriceBook.open(folder, digest)


def test_the_forecasts_of_a_card_come_back(tmp_path: Path) -> None:
    found = written(tmp_path / "book", FURTHER).forecasts.of_card(1)
    assert [(each.horizon, each.fair, each.lower, each.upper, each.status) for each in found] == [
        (30, 2.5, 1.25, 5.0, "ok"),
        (90, 2.75, 1.375, 5.5, "ok"),
    ]


def test_a_card_without_forecast(tmp_path: Path) -> None:
    near, far = written(tmp_path / "book", FURTHER).forecasts.of_card(2)
    assert np.isnan([near.fair, near.lower, near.upper, far.fair]).all()
    assert near.status == "thin_history"


def test_a_book_without_further_forecasts(tmp_path: Path) -> None:
    assert written(tmp_path / "book", None).forecasts.of_card(0) == []


def test_the_missing_horizons_and_why_come_back(tmp_path: Path) -> None:
    book = written(tmp_path / "book", FURTHER)
    assert book.facts.missing_horizons == {90: "5 days of prices, 181 are needed"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizons": (90, 30)}, "must be ascending"),
        ({"horizons": (30, 30)}, "must be ascending"),
        ({"horizons": (0, 30)}, "at least 1"),
        ({"horizons": (7, 30)}, "other than 7"),
        ({"horizons": (30,)}, r"\[horizons, cards\] \(1, 3\), got \(2, 3\)"),
        ({"fair": FAIR[:, :2]}, "fair must have the shape"),
        ({"status": STATUS * 0}, "must be positive and finite"),
        ({"status": STATUS + np.int8(9)}, "index into STATUSES"),
        ({"upper": FAIR * np.float32(0.9)}, "must contain its fair price"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_forecasts_that_make_no_sense(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "book", replace(FURTHER, **change))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
