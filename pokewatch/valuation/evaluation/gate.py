"""The gate: the checks a candidate must pass to be registered.

It fails closed: an unknown score does not pass.
"""

from pokewatch.checks import Check
from pokewatch.settings import GateSettings
from pokewatch.valuation.evaluation.model_selection import excess_error
from pokewatch.valuation.evaluation.origins import MIN_ORIGINS
from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.scores import TRIMMED
from pokewatch.wording import counted


def gate(
    candidate: Evaluation, champion: Evaluation | None = None, settings: GateSettings | None = None
) -> list[Check]:
    """Return the checks of `candidate`; it passes the gate if all of them passed.

    `champion` is the running model evaluated on the same card-days, None if there is none.
    `settings` default to those of the environment. Raise ValueError where the two were not
    evaluated on the same card-days.
    """
    limits = settings or GateSettings.read()
    return [
        _mape(candidate, limits),
        _coverage_rate(candidate, limits),
        _interval_coverage(candidate, limits),
        _champion(candidate, champion, limits),
    ]


def _mape(candidate: Evaluation, limits: GateSettings) -> Check:
    trimmed = candidate.scores["trimmed_mape"]
    passed = trimmed is not None and trimmed <= limits.gate_mape
    why = (
        "mean absolute difference between the fair price and the price quoted "
        f"{counted(candidate.horizon, 'day')} later, as a share of that price, without the largest "
        f"{TRIMMED:.0%} of the differences: one wrong quote must not decide; with them, the mean "
        f"is {_percent(candidate.scores['mape'])}"
    )
    return Check("mape", f"<= {limits.gate_mape:g}%", _percent(trimmed), passed, why)


def _coverage_rate(candidate: Evaluation, limits: GateSettings) -> Check:
    rate = candidate.scores["coverage_rate"]
    passed = rate is not None and rate >= limits.gate_coverage_rate
    return Check(
        "coverage_rate",
        f">= {limits.gate_coverage_rate:g}",
        _plain(rate),
        passed,
        "share of the quoted card-days that have a fair price",
    )


def _interval_coverage(candidate: Evaluation, limits: GateSettings) -> Check:
    low, high = limits.gate_interval_low, limits.gate_interval_high
    coverage, n = candidate.settled_coverage()
    renewed, n_renewed = candidate.settled_coverage(renewed=True)
    origins = sum(candidate.settled)
    wanted, why = f"{low:g} to {high:g}", "share of later prices inside the 90% interval"
    unsettled = len(candidate.origins) - origins
    if unsettled:
        why += f"; {counted(unsettled, 'day')} {'is' if unsettled == 1 else 'are'} left out: "
        why += "the market changed after the forecast, or too shortly before it for models to be "
        why += "trained on"
    if coverage is not None and (n < limits.gate_interval_rows or origins < MIN_ORIGINS):
        # A few days share one market move and measure coverage poorly: only half is required.
        why += f"; {n} card-days on {counted(origins, 'day')} are too few to require {wanted}, "
        why += "so half of them inside is enough"
        wanted, low, high = ">= 0.5", 0.5, 1.0
    elif coverage is not None and coverage > high:
        # Prices that were not renewed are inside any interval that holds the last one.
        why += "; the upper limit applies to those that were renewed: "
        why += f"{n_renewed:,} with a share of {_plain(renewed)}"
        if n_renewed < limits.gate_interval_rows or (renewed is not None and renewed <= high):
            wanted, high = f">= {low:g}", 1.0
    passed = coverage is not None and low <= coverage <= high
    return Check("interval_coverage", wanted, _plain(coverage), passed, why)


def _champion(candidate: Evaluation, champion: Evaluation | None, limits: GateSettings) -> Check:
    margin = limits.gate_champion_margin
    wanted = f"upper end <= {margin:+g}"
    if champion is None:
        return Check(
            "champion",
            wanted,
            "no champion yet",
            True,
            "there is no champion to compare the candidate with",
            judged=False,
        )
    excess = excess_error(candidate, champion)
    why = (
        f"error in excess of the champion's ({champion.model}) on the same card-days, "
        "as a share of the last price's error, with its 95% interval"
    )
    if not all(candidate.settled):
        why += "; days on which no model could know of a change of the market are left out"
    passed = excess is not None and excess.high <= margin
    return Check("champion", wanted, str(excess or "unknown"), passed, why)


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}%"


def _plain(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
