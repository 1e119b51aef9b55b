"""The memory of steps, against peaks that were measured and peaks that are measured here."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.bench.memory import measure
from tests.conftest import ROOT

# MiB by cards and days of simulated markets
MEASURED = {
    (2_000, 200): {"features": 178, "train": 272, "evaluate": 337, "register": 377},
    (8_000, 200): {"features": 216, "train": 612, "evaluate": 755, "register": 821},
    (8_000, 400): {"features": 269, "train": 484, "evaluate": 812, "register": 862},
}


@pytest.fixture
def step_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any, int], int]:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from memory import step_memory

    return step_memory


@pytest.mark.parametrize("size", MEASURED)
def test_it_covers_the_peaks_that_were_measured_and_not_much_more(
    size: tuple[int, int], step_memory: Callable[[str, Any, int], int]
) -> None:
    market = {"cards": size[0], "days": size[1]}
    for step, peak in MEASURED[size].items():
        assert peak * 1.1 <= step_memory(step, market, 1) <= 2.5 * peak + 512, step


def test_shards_divide_the_features_alone(step_memory: Callable[[str, Any, int], int]) -> None:
    magic = {"cards": 200_000, "days": 730}
    whole, sharded = (step_memory("features", magic | {"shards": n}, 1) for n in (1, 8))
    assert whole > 6 * sharded
    assert sharded <= 4096
    assert step_memory("train", magic, 1) == step_memory("train", magic | {"shards": 8}, 1)


def test_other_steps_and_configs_without_a_market_get_what_they_ask_for(
    step_memory: Callable[[str, Any, int], int],
) -> None:
    assert step_memory("gate", {"cards": 200_000, "days": 730}, 2048) == 2048
    assert step_memory("train", {}, 8192) == 8192


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_covers_the_peaks_on_this_machine(
    step_memory: Callable[[str, Any, int], int],
) -> None:
    found = measure(1_500, 150, 2)
    for step in ("features", "train", "evaluate", "register"):
        market = {"cards": 1_500, "days": 150, "shards": 2}
        assert found[step] <= step_memory(step, market, 1), (step, found)
