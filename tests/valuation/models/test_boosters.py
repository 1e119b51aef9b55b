import numpy as np
import pytest

from pokewatch.valuation.models import boosters
from pokewatch.valuation.models.boosters import TrainingRows, held_out_rows, train_boosters

ROWS = 2_000


def rows_of(number: int) -> TrainingRows:
    rng = np.random.default_rng(number)
    values = rng.normal(size=(ROWS, 3)).astype(np.float32)
    return values, values[:, 0].astype(np.float64), np.ones(ROWS)


def test_boosters_are_the_same_whatever_the_number_of_cpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    for cpus in (1, 2, 1):
        monkeypatch.setattr(boosters, "cpu_count", lambda cpus=cpus: cpus)
        found.append(train_boosters(rows_of, 4, {"num_iterations": 5, "bagging_fraction": 0.5}))
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 4
    assert "num_threads" not in found[0][0]


def test_boosters_are_in_the_order_of_their_rows() -> None:
    import lightgbm

    def rows_at(number: int) -> TrainingRows:
        values, _, weight = rows_of(number)
        return values, np.full(ROWS, float(number)), weight

    trained = train_boosters(rows_at, 3, {"num_iterations": 1})
    values = rows_of(0)[0][:1]
    levels = [lightgbm.Booster(model_str=text).predict(values)[0] for text in trained]
    assert levels == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("count", [4, 20])
def test_every_card_is_held_out_from_half_of_the_boosters(count: int) -> None:
    key = np.random.default_rng(0).integers(0, 2**32, 400, dtype=np.uint32)
    held_out = np.stack([held_out_rows(key, number, count) for number in range(count)])
    assert (held_out.sum(axis=0) == count // 2).all()
    assert held_out.mean(axis=1) == pytest.approx(0.5, abs=0.1)
