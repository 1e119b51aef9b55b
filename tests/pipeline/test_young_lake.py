"""A lake of a few days, from its prices to the values that are served."""

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlserver.settings import ModelParameters, ModelSettings

from pokewatch.contract import FAIR_PRICE
from pokewatch.deploy.rollout import deploy
from pokewatch.errors import DeployError, GateError
from pokewatch.pipeline.collect import Collected, collect_prices, validate
from pokewatch.pipeline.monitor import decide, measure_market
from pokewatch.pipeline.monitored_market import Market
from pokewatch.pipeline.processing import join_shards, process_shard
from pokewatch.pipeline.registration import register
from pokewatch.pipeline.selection import GateOutcome, require_passed, select_model
from pokewatch.pipeline.training import evaluate_candidate, too_long, train, trials
from pokewatch.registry import CHAMPION, NOT_EVALUATED, RegisteredModel, Registry
from pokewatch.serving.fair_price import FairPriceRuntime
from pokewatch.serving.tensors import Column
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.unevaluated import Unevaluated
from pokewatch.valuation.signals import value_cards

pytestmark = pytest.mark.integration

FIRST = date(2026, 1, 1)
HORIZON = 7


def collected_days(days: int) -> tuple[Collected, str]:
    """Return the first `days` of a simulated market, asked for as if there were 400."""
    last = FIRST + timedelta(days=days - 1)
    collected = collect_prices("simulated", start=FIRST, end=last, cards=120, needed=15)
    assert all(check.passed for check in validate(collected))
    return collected, join_shards([process_shard(collected, shard, 2) for shard in range(2)])


def evaluated(
    data_version: str, names: list[str]
) -> tuple[dict[str, Any], list[Evaluation | Unevaluated]]:
    """Return the parameters of the models and their evaluations, as the flow's steps make them."""
    parameters = train(data_version, names, HORIZON)
    horizons = [HORIZON, 30]
    planned = trials(list(parameters), horizons, too_long(data_version, horizons))
    found = [
        evaluate_candidate(data_version, model, horizon)
        for model, together in planned
        for horizon in together
    ]
    return parameters, [each for each in found if each.horizon == HORIZON]


def run(days: int, names: list[str]) -> tuple[GateOutcome, RegisteredModel]:
    """Run the steps of the flow up to the champion's alias. Raise GateError."""
    collected, data_version = collected_days(days)
    parameters, evaluations = evaluated(data_version, names)
    outcome = select_model(evaluations)
    require_passed(outcome)
    chosen = next(each for each in evaluations if each.model == outcome.model)
    model = register(collected, data_version, parameters[outcome.model], chosen.to_dict(), {})
    Registry().set_alias(CHAMPION, model.version)
    return outcome, model


def open_book(model: RegisteredModel) -> PriceBook:
    return Registry().open_book(model)


def served(model: RegisteredModel, cards: list[str]) -> dict[str, Any]:
    """Return the outputs of the runtime that serves a version's book."""
    extra = {"digest": model.digest}
    uri = str(Registry().download_book(model))
    runtime = FairPriceRuntime(
        ModelSettings(
            name=FAIR_PRICE,
            implementation=FairPriceRuntime,
            parameters=ModelParameters(uri=uri, extra=extra),
        )
    )
    asyncio.run(runtime.load())
    columns: dict[str, Column] = {"card_id": cards}
    outputs, _ = runtime.answer(columns, list(runtime.declared_outputs.values()))
    return dict(outputs)


@pytest.mark.parametrize("days", [1, 2, 10])
def test_the_first_days_end_in_values_that_say_they_were_not_evaluated(
    registry_home: Path, days: int
) -> None:
    outcome, model = run(days, ["median7", "local_level"])
    remark = f"{days} day{'s' if days > 1 else ''} of prices, 15 are needed"
    assert outcome.passed
    assert outcome.not_evaluated == f"registered without evaluation: {remark}"
    assert [check.name for check in outcome.checks] == [
        "mape",
        "coverage_rate",
        "interval_coverage",
        "champion",
    ]
    assert {check.result for check in outcome.checks} == {"not judged"}
    assert {check.actual for check in outcome.checks} == {f"cannot be judged yet: {remark}"}
    assert model.tags[NOT_EVALUATED] == outcome.not_evaluated
    assert model.tags["model"] == "last"

    book = open_book(model)
    assert book.facts.not_evaluated == outcome.not_evaluated
    assert (book.first_day, book.last_day) == (FIRST, FIRST + timedelta(days=days - 1))
    outputs = served(model, book.cards.ids)
    assert set(outputs["status"]) == {"thin_history"}
    quoted = np.isfinite(outputs["market_price"])
    fair, lower, upper = (np.array(outputs[name]) for name in ("fair_price", "lower", "upper"))
    assert quoted.sum() >= 70
    np.testing.assert_allclose(fair[quoted], np.array(outputs["market_price"])[quoted], rtol=1e-5)
    assert np.isfinite(lower[quoted]).all() == np.isfinite(upper[quoted]).all() == (days > 1)
    if days > 1:
        assert np.all((lower < fair * 0.995) & (upper > fair * 1.005), where=quoted)
    for offered in (None, 0.01):
        signals = value_cards(book, book.cards.ids, price=offered)
        assert {row["signal"] for row in signals} == {"HOLD"}
        known = [row for row in signals if row["deviation_pct"] is not None]
        assert {row["reason"] for row in known} == {"thin_history"}
        assert {row["confidence"] is None for row in known} == {days == 1}


def test_at_fifteen_days_models_are_evaluated_and_replace_the_first_one(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_GATE_MAPE", "100")
    run(14, ["median7"])
    outcome, model = run(15, ["last"])
    assert not outcome.not_evaluated
    assert {check.result for check in outcome.checks} == {"passed"}
    assert outcome.champion == ("1", "last")
    assert NOT_EVALUATED not in model.tags
    assert open_book(model).facts.not_evaluated == ""
    assert "ok" in served(model, open_book(model).cards.ids)["status"]


def test_a_young_lake_never_replaces_an_evaluated_champion(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_GATE_MAPE", "100")
    _, evaluated_model = run(15, ["last"])
    Registry().set_alias(CHAMPION, evaluated_model.version)
    collected = collect_prices("simulated", days=3, cards=130, end=date(2026, 3, 3), needed=15)
    data_version = join_shards([process_shard(collected, 0, 1)])
    parameters, (evaluation,) = evaluated(data_version, ["local_level"])
    outcome = select_model([evaluation])
    assert not outcome.passed
    with pytest.raises(GateError, match="version 1, wanted no evaluated champion"):
        require_passed(outcome)
    # A registration that was begun before there was a champion is not deployed either.
    late = register(collected, data_version, parameters["last"], evaluation.to_dict(), {})
    with pytest.raises(DeployError, match="3 days of prices, 15 are needed; it cannot replace"):
        deploy(Registry(), late.version, [], replace=True)
    assert Registry().resolve().version == evaluated_model.version


def test_days_that_the_source_does_not_have_are_not_counted(home: Path) -> None:
    file = home / "prices.csv"
    rows = [f"card-{card},{day},{card + 1}.50" for card in range(60) for day in _apart()]
    file.write_text("\n".join(["card_id,date,market_price", *rows]))
    collected = collect_prices("file", end=_apart()[-1], days=400, path=file)
    assert collected.first_day == _apart()[0]
    data_version = join_shards([process_shard(collected, 0, 1)])
    found = evaluate_candidate(data_version, "last", 7)
    assert str(found) == "3 days of prices, 15 are needed"


def _apart() -> list[date]:
    return [FIRST, FIRST + timedelta(days=3), FIRST + timedelta(days=20)]


@pytest.mark.parametrize("days", [1, 3, 9])
def test_monitoring_reports_what_cannot_be_measured_yet(registry_home: Path, days: int) -> None:
    run(days, ["median7"])
    market = Market("simulated", 400, 120)
    found = measure_market(market)
    results = {check.name: check.result for check in found.checks}
    assert results["drift"] == "not judged"
    if days <= HORIZON:
        assert results == {"calibration": "not judged", "drift": "not judged"}
    assert found.failed == []
    action = decide(market, found)
    assert not action.retrain
