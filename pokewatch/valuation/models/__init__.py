"""The models, from the simplest to the most complex."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pokewatch.valuation.models.averages import Last, Median7, RollingMean
from pokewatch.valuation.models.boosted import Boosted
from pokewatch.valuation.models.local_level import LocalLevel
from pokewatch.valuation.models.model import Model, Values

MODELS: Mapping[str, type[Model]] = MappingProxyType(
    {model.name: model for model in (Last, RollingMean, Median7, LocalLevel, Boosted)}
)


def create(name: str, horizon: int, parameters: Mapping[str, Any] | None = None) -> Model:
    """Return the model called `name`, fitted if `parameters` (of `Model.parameters`) are given.

    Raise ValueError for an unknown name.
    """
    if name not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {name!r}")
    return MODELS[name](horizon, parameters)


def restore(parameters: Mapping[str, Any]) -> Model:
    """Return the model with these `parameters()`: its numbers are the same to the last digit."""
    return create(parameters["model"], parameters["horizon"], parameters)


__all__ = ["MODELS", "Model", "Values", "create", "restore"]
