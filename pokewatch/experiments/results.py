"""The results of an experiment, one for each day on which both made forecasts."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from pokewatch.errors import ExperimentError

FORMAT = "pokewatch-experiment"
VERSION = 1


@dataclass(frozen=True, slots=True)
class DayResult:
    """The forecasts of champion and challenger from the prices of one day, and their outcome.

    `z` and `scale` are the scaled difference and its denominator, see `sequential`; `z` is None
    where the forecasts were equal, or the day is `excluded` for a reason, "" where there is none.
    `cards` counts those with both forecasts and a price on the day, `judged` those that also have a
    price when the forecasts were due. An error is the sum over the judged cards of the absolute
    difference in log price. `covered` of the challenger's `intervals` held the price.
    """

    issued_on: date
    due_on: date
    champion_version: str
    challenger_version: str
    z: float | None = None
    scale: float = 0.0
    cards: int = 0
    judged: int = 0
    champion_error: float = 0.0
    challenger_error: float = 0.0
    last_error: float = 0.0
    covered: int = 0
    intervals: int = 0
    excluded: str = ""


def document_of(days: Iterable[DayResult]) -> dict[str, Any]:
    """Return the results as plain JSON."""
    listed = [
        {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in asdict(day).items()
        }
        for day in days
    ]
    return {"format": FORMAT, "version": VERSION, "days": listed}


def parse_document(found: Any) -> list[DayResult]:
    """Return the results of a document. Raise ExperimentError."""
    try:
        if (found["format"], found["version"]) != (FORMAT, VERSION):
            raise ExperimentError(
                f"experiment format {found['version']!r}; this PokeWatch reads {VERSION}"
            )
        return [_day(each) for each in found["days"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ExperimentError(
            f"not the results of an experiment: {type(error).__name__} {error}"
        ) from None


def compared(days: Sequence[DayResult]) -> list[DayResult]:
    """Return the results that have a difference, by day of forecast."""
    return sorted((day for day in days if day.z is not None), key=lambda day: day.issued_on)


def _day(found: dict[str, Any]) -> DayResult:
    if unknown := found.keys() - {field.name for field in fields(DayResult)}:
        raise ValueError(f"unknown field {min(unknown)}")
    dates = {name: date.fromisoformat(found[name]) for name in ("issued_on", "due_on")}
    return DayResult(**{**found, **dates})
