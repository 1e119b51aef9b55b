"""Registering a model while the history is too short to evaluate any.

A model is judged by the prices that follow its forecasts, so none can be judged before there are
days_needed(horizon) days of prices. Until then the last price is registered without evaluation:
every check of the gate is a row that says it cannot be judged, and the version says so wherever it
is shown. It never replaces an evaluated champion: a lake that lost its history fails closed.
"""

from dataclasses import dataclass
from typing import Any

from pokewatch.checks import Check
from pokewatch.contract import TOO_FEW_PERIODS
from pokewatch.settings import GateSettings
from pokewatch.valuation.evaluation.origins import quoted_origins
from pokewatch.valuation.panel import Bools
from pokewatch.valuation.short_history import days_needed
from pokewatch.wording import counted


@dataclass(frozen=True, slots=True)
class Unevaluated:
    """A model that cannot be evaluated at a horizon yet; `missing` says why."""

    model: str
    horizon: int
    missing: str

    def __str__(self) -> str:
        return self.missing

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON: an evaluation without origins."""
        return {
            "model": self.model,
            "horizon": self.horizon,
            "origins": [],
            "not_evaluated": self.missing,
            "skill": TOO_FEW_PERIODS,
        }


def missing_history(quoted: Bools, horizon: int) -> str:
    """Return why models cannot be evaluated at a horizon yet, "" if they can.

    `quoted` are the `quoted_days` of the panel.
    """
    days, needed = int(quoted.sum()), days_needed(horizon)
    if len(quoted) >= needed and quoted_origins(quoted, horizon):
        return ""
    found = f"{counted(days, 'day')} of prices"
    if days < needed:
        return f"{found}, {needed} are needed"
    return f"{found}, but no forecast among them has its outcome {counted(horizon, 'day')} later"


def headline(missing: str) -> str:
    """Return the remark on a version that was registered without evaluation."""
    return f"registered without evaluation: {missing}"


def unjudged_checks(
    missing: str, evaluated_champion: str | None, settings: GateSettings | None = None
) -> list[Check]:
    """Return the gate's checks of a model that cannot be evaluated.

    They allow it unless `evaluated_champion`, the version of a champion that was evaluated, is
    given.
    """
    limits = settings or GateSettings.read()
    actual, why = f"cannot be judged yet: {missing}", "measured on the prices that follow forecasts"
    rows = (
        ("mape", f"<= {limits.gate_mape:g}%"),
        ("coverage_rate", f">= {limits.gate_coverage_rate:g}"),
        ("interval_coverage", f"{limits.gate_interval_low:g} to {limits.gate_interval_high:g}"),
    )
    return [
        *(Check(name, wanted, actual, True, why, judged=False) for name, wanted in rows),
        _champion(actual, missing, evaluated_champion),
    ]


def _champion(actual: str, missing: str, evaluated: str | None) -> Check:
    wanted = "no evaluated champion"
    if evaluated is None:
        why = "there is no evaluated champion to compare the candidate with"
        return Check("champion", wanted, actual, True, why, judged=False)
    why = f"a model that cannot be evaluated ({missing}) never replaces one that was"
    return Check("champion", wanted, f"version {evaluated}", False, why)
