"""Optional tensors of requests to the models."""

from collections.abc import Sequence

from pokewatch.contract import DISTRIBUTION, DISTRIBUTION_WIDTH
from pokewatch.gateway.upstream.v2_messages import Column, V2Tensor, float_tensor, string_tensor


def optional_tensor(name: str, values: Column) -> list[V2Tensor]:
    """Return no tensor if no row gives a value; else null stands for a row without one."""
    return [] if values.count(None) == len(values) else [float_tensor(name, values)]


def texts(name: str, values: Sequence[str]) -> list[V2Tensor]:
    """Return no tensor if every row has the default, ""."""
    return [string_tensor(name, values)] if any(values) else []


def for_all(name: str, values: Sequence[str]) -> V2Tensor:
    """Return a tensor of one row if the value is that of every row."""
    same = len(set(values)) == 1
    return string_tensor(name, values[:1] if same else values)


def distributions(values: Column) -> list[V2Tensor]:
    """Return no tensor if no row has a distribution: `decision` then uses the intervals alone."""
    given = values.count(None) < len(values)
    return [float_tensor(DISTRIBUTION, values, DISTRIBUTION_WIDTH)] if given else []
