"""The report of a collection."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pokewatch.checks import Check, failures
from pokewatch.errors import QualityError


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

    def require_no_held(self) -> None:
        """Raise QualityError with each day that was held back, its failed checks and figures."""
        if self.held:
            details = "; ".join(
                f"{day}: {failures(checks)}" for day, checks in sorted(self.held.items())
            )
            raise QualityError(
                f"{len(self.held)} of {len(self.requested)} days were held back and are not in "
                f"the lake, or as they were before. {details}"
            )

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
        }
