"""The daily update of a track record: new issues, outcomes that are due, and the summary."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pokewatch.checks import Check
from pokewatch.monitoring.outcomes import (
    deployed_on,
    is_due,
    is_of_market,
    issue_of,
    outcomes,
    read_book,
    was_champion,
)
from pokewatch.monitoring.record_backtest import earnings
from pokewatch.monitoring.record_summary import summarize
from pokewatch.monitoring.resolved_forecasts import read_resolved
from pokewatch.registry import RegisteredModel, Registry
from pokewatch.serving.record_store import RecordStore
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.signals import configured_fees
from pokewatch.valuation.track_record import OTHER_MARKET, Issue, TrackRecord, add_issues

MOST_BOOKS = 40  # read in one run: a book is large, and a first run may find hundreds


class RecordUpdate:
    """An update of the track record of the champion's market, as of the last day of `panel`."""

    def __init__(
        self, panel: Panel, registry: Registry, champion: RegisteredModel, book: PriceBook
    ) -> None:
        self._panel = panel
        self._registry = registry
        self._champion = champion
        self._book = book
        self._source = champion.tags.get("source", "")
        self._store = RecordStore(registry, self._source, book.facts.market)
        self._read = 0

    def run(
        self, checks: Sequence[Check], experiments: Sequence[Mapping[str, Any]] = ()
    ) -> TrackRecord:
        """Add what is new, summarize all of it together with the checks of the day, and store it.

        `experiments` are the newest ones, newest first. Raise RegistryError or TrackRecordError;
        the record then stays as it was.
        """
        record = self._store.restore()
        known = {issue.model_version for issue in record.issues}
        unknown = [
            model
            for model in self._registry.versions()[::-1]
            if was_champion(model, self._source) and model.version not in known
        ]
        new = self._new_issues(unknown)
        record = self._resolved(replace(record, issues=(*record.issues, *new)))
        record = replace(
            record,
            currency=self._book.facts.currency,
            measured_on=self._panel.dates[-1].item(),
            unread=len(unknown) - len(new),
        )
        return self._store.publish(
            self._summarized(record, checks, experiments), self._champion.run_id
        )

    def _new_issues(self, models: Sequence[RegisteredModel]) -> list[Issue]:
        currency = self._book.facts.currency
        opened = ((model, self._open(model.version, model.digest)) for model in models)
        return [
            issue_of(model, book, currency, deployed_on(model)) for model, book in opened if book
        ]

    def _resolved(self, record: TrackRecord) -> TrackRecord:
        """Return the record with the outcomes of all issues that are due."""
        issues, tables = [], []
        for issue in record.issues:
            book = self._due_book(issue)
            if book is None:
                issues.append(issue)
            elif self._is_foreign(book) or not is_of_market(self._panel, issue, book):
                issues.append(replace(issue, excluded=OTHER_MARKET))
            else:
                issues.append(replace(issue, resolved=True))
                tables.append(outcomes(self._panel, issue, book))
        files = add_issues(self._store.folder, record.files, tables)
        return replace(record, issues=tuple(issues), files=files)

    def _is_foreign(self, book: PriceBook) -> bool:
        """Return whether the market has changed its currency since the book was made."""
        return book.facts.currency != self._book.facts.currency

    def _due_book(self, issue: Issue) -> PriceBook | None:
        """Return the book of an open issue whose outcome is known, None for others."""
        if not (issue.open and is_due(self._panel, issue)):
            return None
        return self._open(issue.model_version, issue.digest)

    def _open(self, version: str, digest: str) -> PriceBook | None:
        """Return the book of a version.

        None where too many have been read in this run, or this one cannot be: that is logged.
        """
        if digest == self._champion.digest:
            return self._book
        if self._read >= MOST_BOOKS:
            return None
        book = read_book(self._registry, version)
        self._read += book is not None
        return book

    def _summarized(
        self,
        record: TrackRecord,
        checks: Sequence[Check],
        experiments: Sequence[Mapping[str, Any]],
    ) -> TrackRecord:
        found = read_resolved(self._store.folder, record.files, record.currency)
        fees = configured_fees(self._book.facts.currency)
        horizons = [
            {**summary, "backtests": earnings(self._panel, each, fees)}
            for each, summary in zip(found, summarize(found), strict=True)
        ]
        failed = [
            {
                "name": check.name,
                "actual": check.actual,
                "wanted": check.threshold,
                "why": check.why,
            }
            for check in checks
            if not check.passed
        ]
        summary = {
            "horizons": horizons,
            "failed_checks": failed,
            "experiments": [dict(each) for each in experiments],
        }
        return replace(record, summary=summary)
