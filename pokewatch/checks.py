"""Checks: the rows of a quality report or of the gate, shown on cards, in MLflow and by the CLI."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A check. `threshold` and `actual` are readable text; `why` explains what is measured.

    A check that cannot be `judged` yet is not a failed one, but no result says that it passed.
    """

    name: str
    threshold: str
    actual: str
    passed: bool
    why: str
    judged: bool = True

    @property
    def result(self) -> str:
        """The result in words: passed, failed or not judged."""
        return "failed" if not self.passed else "passed" if self.judged else "not judged"


def failures(checks: Iterable[Check]) -> str:
    """Return the failed checks, separated by semicolons; "" if all passed."""
    return "; ".join(
        f"{c.name} is {c.actual}, wanted {c.threshold} ({c.why})" for c in checks if not c.passed
    )
