"""`decision`: BUY, SELL or HOLD for prices against fair prices."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from mlserver.settings import ModelSettings
from mlserver.types import Parameters
from numpy.typing import NDArray

from pokewatch.contract import DECISION_INPUTS, DECISION_OUTPUTS, TensorSpec
from pokewatch.decision import Decisions, Thresholds, decide
from pokewatch.serving import metrics
from pokewatch.serving.loaded_books import LOADED_BOOKS
from pokewatch.serving.runtime import TensorRuntime, Values, by_name
from pokewatch.serving.tensors import BadInputError, Column
from pokewatch.settings import DecisionSettings


class DecisionRuntime(TensorRuntime):
    """Judges rows by `pokewatch.decision`. A row whose prices cannot be judged is HOLD and says why in its `reason`.

    Its answers carry the versions of the model that valued the prices: `fair-price`, or the one `parameters.extra.prices` names.
    """

    declared_inputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*DECISION_INPUTS)
    declared_outputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*DECISION_OUTPUTS)

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        extra = (settings.parameters.extra if settings.parameters else None) or {}
        self._prices_of = str(extra.get("prices", "fair-price"))
        thresholds = DecisionSettings.read()
        self._buy, self._sell = thresholds.buy_threshold_pct, thresholds.sell_threshold_pct

    def answer(
        self, columns: Mapping[str, Column], wanted: Sequence[TensorSpec]
    ) -> tuple[Mapping[str, Values], Parameters]:
        thresholds = Thresholds(
            _given(columns.get("buy_threshold_pct"), self._buy),
            _given(columns.get("sell_threshold_pct"), self._sell),
        )
        prices = {
            name: columns.get(name)
            for name in ("market_price", "fair_price", "lower", "upper", "status")
        }
        try:
            decisions = decide(**prices, thresholds=thresholds, on_fault="hold")  # type: ignore[arg-type]
        except ValueError as error:
            raise BadInputError(str(error)) from None
        for signal, count in Counter(decisions.signal.tolist()).items():
            metrics.DECISIONS.labels(signal).inc(count)
        return {
            tensor.name: _values(decisions, tensor) for tensor in wanted
        }, LOADED_BOOKS.parameters(self._prices_of)


def _given(thresholds: Column | None, usual: float) -> NDArray[np.float64] | float:
    """The request's thresholds; the usual one where a row gives none."""
    if thresholds is None:
        return usual
    values = np.asarray(thresholds, dtype=np.float64)
    return np.where(np.isnan(values), usual, values)


def _values(decisions: Decisions, tensor: TensorSpec) -> Values:
    values: Values = getattr(decisions, tensor.name).tolist()
    return values
