"""The `decision` model: BUY, SELL or HOLD for prices, given their fair prices."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from mlserver.settings import ModelSettings
from mlserver.types import Parameters
from numpy.typing import ArrayLike, NDArray

from pokewatch.contract import DECISION_INPUTS, DECISION_OUTPUTS, TensorSpec
from pokewatch.decision import (
    Advice,
    Decisions,
    Distribution,
    FeeSchedule,
    Thresholds,
    advise_each,
    decide,
    fees_for,
)
from pokewatch.serving import metrics
from pokewatch.serving.loaded_books import LOADED_BOOKS
from pokewatch.serving.runtime import TensorRuntime, by_name
from pokewatch.serving.settings_in_use import SETTINGS_IN_USE
from pokewatch.serving.tensors import BadInputError, Column

_ADVICE = {
    "buy_below": "buy_below",
    "sell_above": "sell_above",
    "chance_to_earn": "chance_to_earn",
    "advice": "reason",
}


class DecisionRuntime(TensorRuntime):
    """Applies `pokewatch.decision`. A row with invalid prices is HOLD; `reason` states the fault.

    Advice in money is under the fees named by the row, or those of the settings. Its `currency` is
    that of the served book unless the request gives another.

    Responses carry the versions of the model that valued the prices: `fair-price`, or the model
    named by `parameters.extra.prices`.
    """

    declared_inputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*DECISION_INPUTS)
    declared_outputs: ClassVar[Mapping[str, TensorSpec]] = by_name(*DECISION_OUTPUTS)

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        extra = (settings.parameters.extra if settings.parameters else None) or {}
        self._price_model = str(extra.get("prices", "fair-price"))
        self._defaults = SETTINGS_IN_USE.read(self.name)

    def answer(
        self, columns: Mapping[str, Column], wanted: Sequence[TensorSpec]
    ) -> tuple[Mapping[str, Column], Parameters]:
        thresholds = Thresholds(
            _with_default(columns.get("buy_threshold_pct"), self._defaults.buy_threshold_pct),
            _with_default(columns.get("sell_threshold_pct"), self._defaults.sell_threshold_pct),
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
        signals: list[str] = decisions.signal.tolist()
        metrics.count_decisions(signals)
        outputs: dict[str, Column] = {
            tensor.name: signals if tensor.name == "signal" else _column(decisions, tensor.name)
            for tensor in wanted
            if not tensor.on_request
        }
        if len(outputs) < len(wanted):
            outputs |= self._advice(columns, decisions)
        return outputs, LOADED_BOOKS.parameters(self._price_model)

    def _advice(self, columns: Mapping[str, Column], decisions: Decisions) -> Mapping[str, Column]:
        advice = advise_each(
            np.asarray(columns["market_price"], dtype=np.float64),
            decisions,
            self._fees(columns),
            self._defaults.advice_probability,
        )
        return {name: _column(advice, column) for name, column in _ADVICE.items()}

    def _fees(self, columns: Mapping[str, Column]) -> list[FeeSchedule | None]:
        """Return the fee schedule of each row, or one for all. Raise BadInputError."""
        names: Sequence[str] = columns.get("fees", [""])  # type: ignore[assignment]
        currencies: Sequence[str] = columns.get("currency", [""])  # type: ignore[assignment]
        rows = max(len(names), len(currencies))
        pairs = list(zip(_each(names, rows), _each(currencies, rows), strict=True))
        schedules = {pair: self._schedule(*pair) for pair in set(pairs)}
        return [schedules[pair] for pair in pairs]

    def _schedule(self, name: str, currency: str) -> FeeSchedule | None:
        """Return the fees named, or those of the settings unless they are in another currency."""
        currency = currency or LOADED_BOOKS.currency(self._price_model)
        try:
            return fees_for(currency, name or self._defaults.fees, self._defaults.postage)
        except ValueError as error:
            if name:
                raise BadInputError(f"input 'fees': {error}") from None
            return None


def _each(values: Sequence[str], rows: int) -> Sequence[str]:
    return values if len(values) == rows else [values[0]] * rows


def _with_default(thresholds: Column | None, default: ArrayLike) -> ArrayLike:
    """Return the request's thresholds, with `default` for rows that give none."""
    if thresholds is None:
        return default
    values = np.asarray(thresholds, dtype=np.float64)
    return np.where(np.isnan(values), default, values)


def _column(found: Decisions | Advice, name: str) -> Column:
    values: NDArray[Any] = getattr(found, name)
    return values if values.dtype == np.float64 else values.tolist()
