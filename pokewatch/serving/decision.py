"""`decision`: BUY, SELL or HOLD for prices against fair prices."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from mlserver.settings import ModelSettings
from mlserver.types import Parameters

from pokewatch.decision import Decisions, Thresholds, decide
from pokewatch.serving import metrics
from pokewatch.serving.editions import SHELF
from pokewatch.serving.runtime import TensorRuntime, Values, by_name
from pokewatch.serving.tensors import BadInputError, Column, Tensor
from pokewatch.settings import DecisionSettings

_PRICES = ("market_price", "fair_price")


class DecisionRuntime(TensorRuntime):
    """Judges rows by `pokewatch.decision`. A row whose prices cannot be judged is HOLD and says why in its `reason`.

    Its answers carry the versions of the model that valued the prices: `fair-price`, or the one `parameters.extra.prices` names.
    """

    declared_inputs: ClassVar[Mapping[str, Tensor]] = by_name(
        Tensor("market_price", "FP64", nullable=True),
        Tensor("fair_price", "FP64", nullable=True),
        Tensor("lower", "FP64", optional=True, nullable=True),
        Tensor("upper", "FP64", optional=True, nullable=True),
        Tensor("status", "BYTES", optional=True),
        Tensor("buy_threshold_pct", "FP64", optional=True, per_request=True),
        Tensor("sell_threshold_pct", "FP64", optional=True, per_request=True),
    )
    declared_outputs: ClassVar[Mapping[str, Tensor]] = by_name(
        Tensor("signal", "BYTES"),
        Tensor("deviation_pct", "FP64"),
        Tensor("confidence", "FP64"),
        Tensor("reason", "BYTES"),
    )

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        extra = (settings.parameters.extra if settings.parameters else None) or {}
        self._prices_of = str(extra.get("prices", "fair-price"))
        thresholds = DecisionSettings.read()
        self._buy, self._sell = thresholds.buy_threshold_pct, thresholds.sell_threshold_pct

    def answer(self, columns: Mapping[str, Column], wanted: Sequence[Tensor]) -> tuple[Mapping[str, Values], Parameters]:
        _check_nulls(columns)
        thresholds = Thresholds(columns.get("buy_threshold_pct", self._buy), columns.get("sell_threshold_pct", self._sell))
        prices = {name: columns.get(name) for name in ("market_price", "fair_price", "lower", "upper", "status")}
        try:
            decisions = decide(**prices, thresholds=thresholds, on_fault="hold")  # type: ignore[arg-type]
        except ValueError as error:
            raise BadInputError(str(error)) from None
        for signal, count in Counter(decisions.signal.tolist()).items():
            metrics.DECISIONS.labels(signal).inc(count)
        return {tensor.name: _values(decisions, tensor) for tensor in wanted}, SHELF.parameters(self._prices_of)


def _check_nulls(columns: Mapping[str, Column]) -> None:
    """A price may be null only in a row whose status says that it has no value."""
    for name in _PRICES:
        null = np.isnan(np.asarray(columns[name], dtype=np.float64))
        if not np.count_nonzero(null):
            continue
        if "status" in columns:
            null &= np.isin(np.asarray(columns["status"], dtype=np.str_), ("ok", ""))
        if null.any():
            raise BadInputError(f"input {name!r} must be a number where the status is ok, got null at row {int(np.argmax(null))}")


def _values(decisions: Decisions, tensor: Tensor) -> Values:
    values: Values = getattr(decisions, tensor.name).tolist()
    return values
