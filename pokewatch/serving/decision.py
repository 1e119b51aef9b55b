"""The `decision` model: BUY, SELL or HOLD for prices, given their fair prices."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from mlserver.settings import ModelSettings
from mlserver.types import Parameters
from numpy.typing import ArrayLike

from pokewatch.contract import DECISION_INPUTS, DECISION_OUTPUTS, TensorSpec
from pokewatch.decision import Decisions, Distribution, Thresholds, decide
from pokewatch.serving import metrics
from pokewatch.serving.loaded_books import LOADED_BOOKS
from pokewatch.serving.runtime import TensorRuntime, Values, by_name
from pokewatch.serving.tensors import BadInputError, Column
from pokewatch.valuation.signals import configured_thresholds


class DecisionRuntime(TensorRuntime):
    """Applies `pokewatch.decision`. A row with invalid prices is HOLD; `reason` states the fault.

    Responses carry the versions of the model that valued the prices: `fair-price`, or the model
    named by `parameters.extra.prices`.
    """

    declared_inputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*DECISION_INPUTS)
    declared_outputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*DECISION_OUTPUTS)

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        extra = (settings.parameters.extra if settings.parameters else None) or {}
        self._price_model = str(extra.get("prices", "fair-price"))
        self._thresholds = configured_thresholds()

    def answer(
        self, columns: Mapping[str, Column], wanted: Sequence[TensorSpec]
    ) -> tuple[Mapping[str, Values], Parameters]:
        thresholds = Thresholds(
            _with_default(columns.get("buy_threshold_pct"), self._thresholds.buy),
            _with_default(columns.get("sell_threshold_pct"), self._thresholds.sell),
        )
        prices = {
            name: columns.get(name)
            for name in ("market_price", "fair_price", "lower", "upper", "status")
        }
        rows = columns.get("distribution")
        distribution = None if rows is None else Distribution.from_array(np.asarray(rows))
        try:
            decisions = decide(
                **prices,  # type: ignore[arg-type]
                distribution=distribution,
                thresholds=thresholds,
                on_fault="hold",
            )
        except ValueError as error:
            raise BadInputError(str(error)) from None
        for signal, count in Counter(decisions.signal.tolist()).items():
            metrics.DECISIONS.labels(signal).inc(count)
        outputs = {tensor.name: _values(decisions, tensor) for tensor in wanted}
        return outputs, LOADED_BOOKS.parameters(self._price_model)


def _with_default(thresholds: Column | None, default: ArrayLike) -> ArrayLike:
    """Return the request's thresholds, with `default` for rows that give none."""
    if thresholds is None:
        return default
    values = np.asarray(thresholds, dtype=np.float64)
    return np.where(np.isnan(values), default, values)


def _values(decisions: Decisions, tensor: TensorSpec) -> Values:
    values: Values = getattr(decisions, tensor.name).tolist()
    return values
