"""The error of the models on real prices."""

from pathlib import Path

import pytest

from pokewatch.valuation.evaluation.runner import MIN_ORIGINS, evaluate_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("name", "horizon", "min_price", "most"),
    [("tcgcsv_daily.parquet", 7, 1.0, 0.97), ("cardmarket_daily.parquet", 30, None, 0.90)],
    ids=["tcgplayer", "cardmarket"],
)
def test_boosted_beats_the_last_price(
    shared_data: Path, name: str, horizon: int, min_price: float | None, most: float
) -> None:
    (found,) = evaluate_file(shared_data / name, horizon, "boosted", min_price)
    assert len(found["origins"]) >= MIN_ORIGINS
    assert found["rmae_last"] <= most
    assert found["rmae_last_ci"][1] < 1
    assert 0.88 <= found["coverage_90"] <= 0.93
    assert all(
        0.86 <= group["coverage_90"] <= 0.94 for group in found["groups"] if group["n"] >= 500
    )
