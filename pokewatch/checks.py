"""A check: one row of a quality report or of the gate, as shown on cards, in MLflow and on the command line."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`threshold` and `actual` are text ready to read, `why` says what a failure means for the user."""

    name: str
    threshold: str
    actual: str
    passed: bool
    why: str


def failures(checks: Iterable[Check]) -> str:
    """The failed checks in one sentence each, "" if all passed."""
    return "; ".join(
        f"{c.name} is {c.actual}, wanted {c.threshold} ({c.why})" for c in checks if not c.passed
    )
