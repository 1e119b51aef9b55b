"""The models, from simple to strong."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pokewatch.valuation.models.averages import Median7, RollingMean
from pokewatch.valuation.models.boosted import Boosted
from pokewatch.valuation.models.local_level import LocalLevel
from pokewatch.valuation.models.model import Model, Values

MODELS: Mapping[str, type[Model]] = MappingProxyType(
    {model.name: model for model in (RollingMean, Median7, LocalLevel, Boosted)}
)


def create(name: str, horizon: int, parameters: Mapping[str, Any] | None = None) -> Model:
    """The model called `name`, as learnt where `parameters` (of `Model.parameters`) are given. Raises ValueError for an unknown name."""
    if name not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {name!r}")
    return MODELS[name](horizon, parameters)


def restore(parameters: Mapping[str, Any]) -> Model:
    """The model that gave these `parameters()`: the same numbers to the last digit."""
    return create(parameters["model"], parameters["horizon"], parameters)


__all__ = ["MODELS", "Model", "Values", "create", "restore"]
