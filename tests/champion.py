"""A small champion, made by the pipeline's own steps."""

from dataclasses import dataclass
from typing import Any

from pokewatch.pipeline.collect import Collected, collect_prices
from pokewatch.pipeline.processing import join_shards, process_shard
from pokewatch.pipeline.registration import register
from pokewatch.pipeline.selection import select_model
from pokewatch.pipeline.training import evaluate_candidate, train
from pokewatch.registry import CHAMPION, RegisteredModel, Registry
from pokewatch.valuation.evaluation.runner import Evaluation

MODEL = "median7"
DAYS = 90


@dataclass(frozen=True)
class Champion:
    collected: Collected
    model: RegisteredModel


def prepare(
    cards: int = 120, days: int = DAYS, seed: int = 0, horizon: int = 7, name: str = MODEL
) -> tuple[Collected, str, dict[str, Any], Evaluation]:
    """Run the pipeline's steps before `register`.

    Return what `register` takes, with the parameters of every model and the evaluation as an
    object.
    """
    collected = collect_prices("simulated", days=days, cards=cards, seed=seed)
    data_version = join_shards([process_shard(collected, shard, 2) for shard in range(2)])
    parameters = train(data_version, [name], horizon)
    evaluation = evaluate_candidate(data_version, name, horizon)
    assert isinstance(evaluation, Evaluation)
    return collected, data_version, parameters, evaluation


def make_champion(
    cards: int = 120, days: int = DAYS, seed: int = 0, horizon: int = 7, name: str = MODEL
) -> Champion:
    """Run the pipeline's steps in this process, into the current POKEWATCH_HOME."""
    collected, data_version, parameters, evaluation = prepare(cards, days, seed, horizon, name)
    verdict = select_model([evaluation])
    assert verdict.model == name
    registered = register(collected, data_version, parameters[name], evaluation.to_dict(), {})
    Registry().set_alias(CHAMPION, registered.version)
    return Champion(collected, registered)
