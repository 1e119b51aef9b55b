"""The report of a collection."""

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from pokewatch.checks import Check, failures
from pokewatch.errors import QualityError
from pokewatch.market.sources import RequestUsage


@dataclass
class CollectReport:
    """Days by outcome, rows, and warnings of one collection."""

    source: str
    requested: tuple[date, ...]
    written: list[date] = field(default_factory=list)
    unchanged: list[date] = field(default_factory=list)  # in the lake already
    missing: list[date] = field(default_factory=list)  # not available from the source
    held: dict[date, tuple[Check, ...]] = field(default_factory=dict)  # failed their checks
    rows: int = 0  # of the days written
    quarantined: Counter[str] = field(default_factory=Counter)  # rows by reason
    cleaned: Counter[str] = field(default_factory=Counter)  # values by reason
    warnings: list[str] = field(default_factory=list)
    usage: RequestUsage | None = None  # of the daily budget of requests; None if there is none

    def require_no_held(self) -> None:
        """Raise QualityError with each day that was held back, its failed checks and figures."""
        if self.held:
            raise QualityError(
                f"{len(self.held)} of {len(self.requested)} days were held back and are not in "
                f"the lake, or as they were before. {failures(self.held_checks())}"
            )

    def held_checks(self) -> list[Check]:
        """Return the failed checks of held days, once for successive days that fail the same."""
        spans: list[list[date]] = []
        for day in sorted(self.held):
            if spans and self._failed(day).keys() == self._failed(spans[-1][0]).keys():
                spans[-1].append(day)
            else:
                spans.append([day])
        return [
            replace(check, actual=check.actual + _span(days))
            for days in spans
            for check in self._failed(days[0]).values()
        ]

    def _failed(self, day: date) -> dict[str, Check]:
        return {check.name: check for check in self.held[day] if not check.passed}

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-serialisable values."""
        return {
            "source": self.source,
            "asked": len(self.requested),
            "written": [day.isoformat() for day in self.written],
            "unchanged": [day.isoformat() for day in self.unchanged],
            "missing": [day.isoformat() for day in self.missing],
            "held": {day.isoformat(): failures(checks) for day, checks in self.held.items()},
            "rows": self.rows,
            "quarantined": dict(self.quarantined),
            "cleaned": dict(self.cleaned),
            "warnings": self.warnings,
            "requests": asdict(self.usage) if self.usage else None,
        }


def _span(days: list[date]) -> str:
    if len(days) == 1:
        return ""
    return f" (and the same check failed on all {len(days)} held days to {days[-1]})"
