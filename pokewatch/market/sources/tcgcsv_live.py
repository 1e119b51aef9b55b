"""The prices of TCGCSV's live pages: one page for each set, all of the latest day.

A set that fails is requested again after the others. If it still fails, the day is collected
without it, and the quality checks decide about the day; the next run requests that set again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.sources.failed_sets import MOST_IN_A_ROW, not_collected, too_many
from pokewatch.market.sources.http import shown
from pokewatch.market.sources.parsing import text
from pokewatch.market.sources.tcgcsv_catalog import BLOCKED, TcgcsvCatalog
from pokewatch.market.sources.tcgcsv_pages import NotDueError, TcgcsvPages
from pokewatch.market.sources.tcgcsv_rows import PriceRows
from pokewatch.wording import counted, listed

_NAME = "tcgcsv"


@dataclass(frozen=True, slots=True)
class _Set:
    category: int
    group: int
    name: str

    @property
    def path(self) -> str:
        return f"/tcgplayer/{self.category}/{self.group}/prices"


@dataclass
class _Fetch:
    """The state of one day's requests."""

    rows: PriceRows
    failed: dict[str, SourceError] = field(default_factory=dict)  # by path
    answered: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)  # of the sets, by path
    absent: list[str] = field(default_factory=list)  # sets without a page


class TcgcsvLive:
    """The live pages of one TCGCSV server. `warn` is called for sets that are missing."""

    def __init__(
        self,
        pages: TcgcsvPages,
        catalog: TcgcsvCatalog,
        categories: Sequence[int],
        warn: Callable[[str], None],
    ) -> None:
        self._pages = pages
        self._catalog = catalog
        self._categories = categories
        self._warn = warn

    def missing(self, day: date) -> list[str]:
        """Return the pages for `day` that the last run did not get, of these categories."""
        wanted = set(self._categories)
        return [path for path in self._pages.failures(day) if int(path.split("/")[2]) in wanted]

    def write_products(self, day: date, failures: Mapping[str, str]) -> None:
        """Record the pages of products that the run for `day` did not get, cause by path."""
        before = self._pages.failures(day)
        prices = {path: why for path, why in before.items() if not path.endswith("/products")}
        if before != (found := prices | dict(failures)):
            self._pages.write_failures(day, found)

    def forget(self, day: date) -> None:
        """Forget the pages of `day` that are missing: its prices have come from elsewhere."""
        if self._pages.failures(day):
            self._pages.write_failures(day, {})

    def rows(self, day: date) -> PriceRows:
        """Return the prices of `day`, the latest day.

        Raise SourceError if the server stops answering; the sets fetched before are stored.
        """
        earlier = self._pages.failures(day)
        fetch = _Fetch(PriceRows(day))
        try:
            waiting = sorted(self._sets(fetch), key=lambda each: each.path in earlier)
            fetch.names.update({each.path: each.name for each in waiting})
            rest = self._request(fetch, waiting)
            if any(each.path not in earlier for each in rest):
                raise self._incomplete(fetch)
            last = next(reversed(fetch.failed.values()), None)
            fetch.failed.update({each.path: last for each in rest if last})
            again = [each for each in waiting if _may_recover(fetch.failed.get(each.path))]
            self._request(fetch, again)
            if too_many(fetch.failed, len(fetch.names)):
                raise self._incomplete(fetch)
            if not (fetch.rows.card_ids or fetch.rows.rejected):
                raise self._empty()
            self._pages.check_latest(day)
        finally:
            left = {path: why for path, why in earlier.items() if path not in fetch.answered}
            causes = {path: error.cause for path, error in fetch.failed.items()}
            self._pages.write_failures(day, left | causes)
        self._report(fetch)
        return fetch.rows

    def _sets(self, fetch: _Fetch) -> Iterator[_Set]:
        """Yield the sets of all categories.

        Raise SourceError if requests are blocked, MissingAtSourceError if all are unknown.
        """
        missing: MissingAtSourceError | None = None
        for category in self._categories:
            try:
                groups = self._catalog.groups_of(category, fetch.rows.day)
                fetch.answered.add(f"/tcgplayer/{category}/groups")
            except SourceError as error:
                path = f"/tcgplayer/{category}/groups"
                fetch.failed[path], fetch.names[path] = error, f"all of category {category}"
                if error.status in BLOCKED:
                    raise self._incomplete(fetch) from error
                missing = error if isinstance(error, MissingAtSourceError) else missing
                continue
            for group, facts in sorted(groups.items()):
                yield _Set(category, group, text(facts.get("name")) or f"group {group}")
        if missing and not fetch.answered:
            raise missing

    def _request(self, fetch: _Fetch, sets: Sequence[_Set]) -> Sequence[_Set]:
        """Add the rows of `sets`; return those not requested since too many in a row failed.

        Raise SourceError if requests are blocked.
        """
        in_a_row = 0
        for position, each in enumerate(sets):
            try:
                found = self._pages.results(each.path, fetch.rows.day)
                fetch.rows.add(each.category, each.group, found)
                fetch.failed.pop(each.path, None)
                fetch.answered.add(each.path)
                in_a_row = 0
            except MissingAtSourceError:
                fetch.absent.append(each.name)
                fetch.answered.add(each.path)
                in_a_row = 0
            except SourceError as error:
                fetch.failed[each.path] = error
                if error.status in BLOCKED:
                    raise self._incomplete(fetch) from error
                in_a_row += not isinstance(error, NotDueError)
                if in_a_row >= MOST_IN_A_ROW:
                    return sets[position + 1 :]
        return ()

    def _incomplete(self, fetch: _Fetch) -> SourceError:
        """Return the error of a day that was not collected."""
        return not_collected(
            fetch.failed,
            f"; {fetch.rows.day} was not collected. The sets fetched so far are stored; "
            f"run the command again to continue ({self._pages.usage()})",
        )

    def _empty(self) -> SourceError:
        cause = f"no live prices of categories {', '.join(map(str, self._categories))}"
        return SourceError(_NAME, shown(self._pages.url), cause)

    def _report(self, fetch: _Fetch) -> None:
        day = fetch.rows.day
        if fetch.absent:
            self._warn(f"{day}: {_NAME} has no prices of {_counted_sets(fetch.absent)}")
        if fetch.failed:
            names = [fetch.names[path] for path in sorted(fetch.failed)]
            first = fetch.failed[min(fetch.failed)]
            self._warn(
                f"{day}: the prices of {_counted_sets(names)} are missing "
                f"({first.url}: {first.cause}); "
                "run the command again on the same day to collect them"
            )


def _may_recover(error: SourceError | None) -> bool:
    """Return whether a page that failed with `error` may be requested again in the same run."""
    return error is not None and error.status != 200 and not isinstance(error, NotDueError)


def _counted_sets(names: Sequence[str]) -> str:
    return f"{counted(len(names), 'set')} ({listed(names)})"
