from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pokewatch.monitoring.resolved_forecasts import ResolvedForecasts, read_resolved
from pokewatch.valuation.track_record import add_issues
from tests.valuation.test_track_record import forecasts


def read(folder: Path, *tables: pa.Table) -> list[ResolvedForecasts]:
    return read_resolved(folder, add_issues(folder, (), tables), "USD")


def test_terms_are_those_of_an_evaluation(tmp_path: Path) -> None:
    (found,) = read(tmp_path, forecasts(date(2026, 1, 30)), forecasts(date(2026, 1, 31), 2))
    assert found.terms["error"] == pytest.approx(np.full(5, np.log(11 / 10.5)))
    assert found.terms["error_last"] == pytest.approx(np.full(5, np.log(10.5 / 10)))
    assert found.terms["covered"].tolist() == [1.0] * 5
    assert (found.issued_on, found.versions) == (
        (date(2026, 1, 30), date(2026, 1, 31)),
        ("1", "1"),
    )
    assert found.origin.tolist() == [0, 0, 0, 1, 1]
    assert [found.cards[number] for number in found.card] == ["c0", "c1", "c2", "c0", "c1"]
    assert found.names["c2"] == {"slug": "card_2", "name": "Card 2", "set_name": "Set"}


def test_forecasts_in_another_currency_are_left_out(tmp_path: Path) -> None:
    tables = [
        forecasts(date(2026, 1, 30), currency="EUR"),
        forecasts(date(2026, 1, 31), currency="USD"),
    ]
    (found,) = read(tmp_path, *tables)
    assert found.issued_on == (date(2026, 1, 31),)


@pytest.mark.parametrize("missing", ["last_price", "outcome"])
def test_forecasts_without_a_price_are_not_judged(missing: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {missing: None}
    (found,) = read(tmp_path, forecasts(date(2026, 1, 30), **given))
    assert not found.judged.any()
    assert all(not values.any() for values in found.terms.values())
    assert found.band.tolist() == [-1 if missing == "last_price" else 2] * 3


def test_horizons_are_apart(tmp_path: Path) -> None:
    found = read(tmp_path, forecasts(date(2026, 1, 30)), forecasts(date(2026, 1, 31), horizon=30))
    assert [(each.horizon, len(each.card)) for each in found] == [(7, 3), (30, 3)]


def test_an_empty_record(tmp_path: Path) -> None:
    assert read(tmp_path) == []
