"""Selecting a model on a small simulated market."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pokewatch.contract import NO_BETTER
from pokewatch.errors import GateError
from pokewatch.pipeline.collect import collect_prices
from pokewatch.pipeline.processing import join_shards, process_shard
from pokewatch.pipeline.selection import require_passed, select_model, with_champion
from pokewatch.pipeline.training import evaluate_candidate
from pokewatch.registry import Registry
from tests.champion import make_champion
from tests.monitoring.listener import listening

pytestmark = pytest.mark.integration


def test_a_refusal_is_reported_with_its_figures(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = collect_prices("simulated", days=60, cards=120, end=date(2026, 1, 31))
    data_version = join_shards([process_shard(collected, 0, 1)])
    evaluation = evaluate_candidate(data_version, "median7", 7)
    monkeypatch.setenv("POKEWATCH_GATE_MAPE", "0.001")
    outcome = select_model([evaluation])
    assert not outcome.passed
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        for _ in range(2):
            with pytest.raises(GateError, match=r"mape is \d+\.\d+%, wanted <= 0\.001%"):
                require_passed(outcome)
    (heard,) = listener.heard
    assert heard["title"] == "PokeWatch: the gate refused median7"
    assert "wanted <= 0.001%" in heard["message"]
    assert "There is no champion" in heard["message"]


def test_the_champion_is_compared_on_the_same_days(champion_home: Path) -> None:
    data_version = Registry().resolve().data_version
    outcome = select_model(
        [evaluate_candidate(data_version, name, 7) for name in ("rolling_mean", "median7")]
    )
    assert outcome.champion == ("1", "median7")
    compared = next(check for check in outcome.checks if check.name == "champion")
    assert "[" in compared.actual


def test_the_champions_model_is_a_candidate(champion_home: Path) -> None:
    assert with_champion(["rolling_mean"]) == ["rolling_mean", "median7"]
    assert with_champion(["median7"]) == ["median7"]


def test_the_last_price_can_be_champion(registry_home: Path) -> None:
    """Its fair price is the last price, its interval is calibrated, and no skill is claimed."""
    model = make_champion(cards=120, days=60, name="last").model
    assert model.tags["skill"] == NO_BETTER
    latest = Registry().open_book(model).latest()
    valued = (latest.status == "ok") & (latest.market > 0)
    assert valued.sum() > 50
    np.testing.assert_allclose(latest.fair[valued], latest.market[valued], rtol=1e-5)
    assert (latest.lower[valued] < latest.fair[valued]).mean() > 0.9
    assert with_champion(["median7"]) == ["median7", "last"]
