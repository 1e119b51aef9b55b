"""The checks over real panels: no true day is held, no group is doubtful, no move is dropped."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pokewatch.market.quality.cleaning import clean_rows
from pokewatch.market.quality.days import QualityThresholds, check_measures, measure
from pokewatch.market.quality.groups import HISTORY, doubtful_groups
from pokewatch.market.quality.measures import JUMP, aligned
from pokewatch.market.quality.rows import split_rows
from pokewatch.market.sources.file import FileSource
from pokewatch.settings import QualitySettings, SourceSettings

TODAY = date(2026, 11, 1)
# The panel of Cardmarket has gaps and whole days without a change, as files may.
PANELS = {"tcgcsv_daily": ("tcgcsv", 40), "cardmarket_daily": ("file", 10)}


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 9])
@pytest.mark.parametrize("name", PANELS)
def test_no_true_day_is_held_and_no_true_move_is_dropped(
    shared_data: Path, name: str, every: int
) -> None:
    table = FileSource(SourceSettings.read(), shared_data / f"{name}.parquet").table
    source, fivefold_moves = PANELS[name]
    limits = QualityThresholds.of(QualitySettings.read(), source)
    jumps = 0
    before: list[pa.Table] = []
    for day in table.prices["date"].unique().sort().to_pylist()[::every]:
        prices = table.prices.filter(pc.equal(table.prices["date"], pa.scalar(day)))
        cleaned, _ = clean_rows(prices, limits.max_price)
        good, rejected = split_rows(cleaned, limits.max_price, TODAY)
        assert (good.num_rows, rejected.num_rows) == (prices.num_rows, 0)
        measures = measure(good, day, before[-1] if before else None, 0, TODAY, limits)
        assert [check for check in check_measures([measures], limits) if not check.passed] == []
        doubts = doubtful_groups(good, before, table.cards, gaps=source == "file")
        assert {doubt.problem for doubt in doubts} <= {"slip"}
        if before:
            _, (earlier, now) = aligned([before[-1], good])
            moves = np.log(now / earlier)
            jumps += int(np.sum(np.abs(moves) >= np.log(JUMP)))
        before = [*before[1 - HISTORY :], good]
    assert jumps >= (fivefold_moves if every == 1 else 1)
