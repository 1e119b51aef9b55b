"""Experiments and their standings, without a registry."""

from collections.abc import Sequence
from datetime import date, timedelta

from pokewatch.experiments.records import Experiment, Plan, State
from pokewatch.experiments.results import DayResult
from pokewatch.experiments.sequential import Rule
from pokewatch.experiments.standing import Standing

FIRST = date(2025, 10, 1)


def experiment(
    number: int = 1, challenger: str = "boosted", state: State = "running", outcome: str = ""
) -> Experiment:
    started_at = f"{FIRST}T02:00:00+00:00"
    plan = Plan("local_level", challenger, "simulated-0", started_at, Rule(horizon=7))
    return Experiment(number, plan, "continue", state, outcome, {})


def day_result(at: int, z: float | None, covered: int = 90, excluded: str = "") -> DayResult:
    """A day of 100 judged cards, whose champion's error is half that of the last price."""
    issued_on = FIRST + timedelta(days=at)
    return DayResult(
        issued_on=issued_on,
        due_on=issued_on + timedelta(days=7),
        champion_version=str(2 * at + 1),
        challenger_version=str(2 * at + 2),
        z=z,
        scale=10.0,
        cards=110,
        judged=100,
        champion_error=50.0,
        challenger_error=50.0 - 10.0 * (z or 0.0),
        last_error=100.0,
        covered=covered,
        intervals=100,
        excluded=excluded,
    )


def standing(
    number: int,
    z: Sequence[float],
    challenger: str = "boosted",
    state: State = "running",
    outcome: str = "",
) -> Standing:
    days = [day_result(at, value) for at, value in enumerate(z)]
    return Standing.of(experiment(number, challenger, state, outcome), days)
