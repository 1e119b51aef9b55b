"""The gate: a candidate ships only where every check passes. Fails closed: a score that is not known does not pass."""

from pokewatch.checks import Check
from pokewatch.settings import GateSettings
from pokewatch.valuation.evaluation.model_selection import difference
from pokewatch.valuation.evaluation.runner import MIN_ORIGINS, Evaluation


def gate(
    candidate: Evaluation, champion: Evaluation | None = None, settings: GateSettings | None = None
) -> list[Check]:
    """One row a check. `champion` is the running model evaluated on the same days (`evaluate` both together), None if there is none."""
    limits = settings or GateSettings.read()
    return [
        _mape(candidate, limits),
        _coverage_rate(candidate, limits),
        _interval_coverage(candidate, limits),
        _champion(candidate, champion),
    ]


def _mape(candidate: Evaluation, limits: GateSettings) -> Check:
    mape = candidate.scores["mape"]
    passed = mape is not None and mape <= limits.gate_mape
    why = f"the fair price is this far from the price quoted {_days(candidate.horizon)} later, on average"
    return Check("mape", f"<= {limits.gate_mape:g}%", _percent(mape), passed, why)


def _coverage_rate(candidate: Evaluation, limits: GateSettings) -> Check:
    rate = candidate.scores["coverage_rate"]
    passed = rate is not None and rate >= limits.gate_coverage_rate
    return Check(
        "coverage_rate",
        f">= {limits.gate_coverage_rate:g}",
        _plain(rate),
        passed,
        "share of the quoted cards that get a fair price",
    )


def _interval_coverage(candidate: Evaluation, limits: GateSettings) -> Check:
    low, high = limits.gate_interval_low, limits.gate_interval_high
    coverage, n, origins = candidate.settled_coverage()
    wanted, why = f"{low:g} to {high:g}", "share of later prices inside the 90% interval"
    if origins < len(candidate.origins):
        why += f"; {len(candidate.origins) - origins} days are left out, on which no model could know that the market changes"
    if coverage is not None and (n < limits.gate_interval_rows or origins < MIN_ORIGINS):
        # A few days share one market move, so their coverage says little; it is shown, and refused only where it is absurd.
        why += f"; {n} card-days on {origins} days are too few to hold it to {wanted}, so half of them inside will do"
        wanted, low, high = ">= 0.5", 0.5, 1.0
    return Check(
        "interval_coverage",
        wanted,
        _plain(coverage),
        coverage is not None and low <= coverage <= high,
        why,
    )


def _champion(candidate: Evaluation, champion: Evaluation | None) -> Check:
    wanted = "not worse, beyond chance"
    if champion is None:
        return Check(
            "champion",
            wanted,
            "no champion yet",
            True,
            "the first model has nothing to be compared with",
        )
    worse = difference(champion, candidate)
    why = f"error beyond that of {champion.model}, the champion, on the same card-days, as a share of the last price's error"
    return Check("champion", wanted, str(worse), worse.low <= 0, why)


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}%"


def _plain(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"
