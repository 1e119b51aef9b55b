"""The report of a collection."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import pyarrow as pa

from pokewatch.checks import Check, failures
from pokewatch.errors import QualityError
from pokewatch.market.quality.days import QUARANTINE
from pokewatch.market.quality.groups import HISTORY, Doubt
from pokewatch.market.sources import RequestUsage
from pokewatch.market.tabular.sheet import shortened
from pokewatch.wording import counted, listed

_SLIP_DAYS = 5  # days whose largest changes are listed
_LONGEST_ROW = 160  # characters of a row that is shown


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
    first_quarantined: dict[str, str] = field(default_factory=dict)  # the first by reason
    cleaned: Counter[str] = field(default_factory=Counter)  # values by reason
    doubts: list[tuple[date, Doubt]] = field(default_factory=list)  # of days written
    warnings: list[str] = field(default_factory=list)
    usage: RequestUsage | None = None  # of the daily budget of requests; None if there is none

    def count_quarantined(self, rejected: pa.Table) -> None:
        """Count rows (REJECTED_SCHEMA) by reason, and keep the first of each in words."""
        reasons = rejected["reason"].to_pylist()
        self.quarantined.update(reasons)
        for reason in set(reasons).difference(self.first_quarantined):
            (row,) = rejected.slice(reasons.index(reason), 1).to_pylist()
            self.first_quarantined[reason] = _described(row)

    def require_no_held(self) -> None:
        """Raise QualityError with each day that was held back, its failed checks and figures."""
        if self.held:
            raise QualityError(
                f"held back {len(self.held)} of {counted(len(self.requested), 'day')}: what was "
                f"collected of a held day is not in the lake. {failures(self.held_checks())}"
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
            replace(check, actual=check.actual + _span(days), why=self._why(check))
            for days in spans
            for check in self._failed(days[0]).values()
        ]

    def _why(self, check: Check) -> str:
        """Return what a check measures, that of the quarantine with the most frequent reason."""
        if check.name != QUARANTINE or not self.quarantined:
            return check.why
        ((reason, rows),) = self.quarantined.most_common(1)
        return f"{check.why}; {counted(rows, 'row')} of the run: {reason}"

    def doubt_warnings(self) -> Iterator[str]:
        """Yield what is doubtful, once for all days of a set, printing or game."""
        empty: dict[date, list[str]] = {}
        lasting: dict[tuple[str, str], list[tuple[date, str]]] = {}
        slips: list[str] = []
        for day, found in self.doubts:
            if found.problem == "empty":
                empty.setdefault(day, []).append(found.subject)
            elif found.problem == "slip":
                slips.append(f"{day}: {found.text}")
            else:
                lasting.setdefault((found.subject, found.problem), []).append((day, found.text))
        spans: dict[tuple[str, ...], list[date]] = {}
        for day, sets in empty.items():
            spans.setdefault(tuple(sets), []).append(day)
        for subjects, days in spans.items():
            which, again = (days[0], "day") if len(days) == 1 else (_range(days), "days")
            yield (
                f"{which}: no prices for {listed(subjects, 'sets')}, which had some on the last "
                f"{HISTORY} days before; collect the {again} again with --refresh"
            )
        for (subject, _), found_on in lasting.items():
            first, last = found_on[0][0], found_on[-1][0]
            when = f"{first}" if first == last else _range([day for day, _ in found_on])
            yield f"{when}: {subject}: {found_on[0][1]}"
        yield from slips[:_SLIP_DAYS]
        if len(slips) > _SLIP_DAYS:
            more = counted(len(slips) - _SLIP_DAYS, "further day")
            yield f"prices changed twentyfold or more on {more}"

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


def _described(row: Mapping[str, Any]) -> str:
    """Return the card and day of a rejected row and the value at fault, if it has one.

    A row that was rejected before it had a card and a day is shown as the source has it.
    """
    if not (row["card_id"] and row["date"]):
        return shortened(row["row"], _LONGEST_ROW)
    cells = json.loads(row["row"])  # as the source has them, which may be no object
    value = cells.get(row["reason"].partition(" ")[0]) if isinstance(cells, dict) else None
    shown = "" if value is None else f": {shortened(str(value))}"
    return f"{row['card_id']} on {row['date']}{shown}"


def _range(days: Sequence[date]) -> str:
    return f"{counted(len(days), 'day')}, {days[0]} to {days[-1]}"


def _span(days: list[date]) -> str:
    if len(days) == 1:
        return ""
    return f" (and the same check failed on all {len(days)} held days to {days[-1]})"
