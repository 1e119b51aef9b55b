"""TCGCSV, a public mirror of TCGplayer's catalogue and daily prices in USD.

/archive/tcgplayer/prices-YYYY-MM-DD.ppmd.7z     one day of every game, 7z with PPMd
/tcgplayer/{category}/groups                     sets
/tcgplayer/{category}/{group}/products           cards and sealed products
/tcgplayer/{category}/{group}/prices             today's prices
/last-updated.txt                                when today's prices were taken
"""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.sources import PriceBatch, RequestUsage, parsing
from pokewatch.market.sources.archive import BadArchiveError, read_members
from pokewatch.market.sources.games import categories_of
from pokewatch.market.sources.http import shown
from pokewatch.market.sources.tcgcsv_pages import TcgcsvPages
from pokewatch.market.sources.tcgcsv_rows import (
    BadEnvelopeError,
    Listing,
    PriceRows,
    card_rows,
    is_id,
    results,
)
from pokewatch.settings import SourceSettings

FIRST_DAY = date(2024, 2, 8)
_AHEAD = 2  # days fetched and unpacked concurrently
_MOST_FAILURES = 3  # groups in a row that may fail before no more are requested
_CLOSED = (401, 403, 410, 451)  # the archive has been closed since September 2026
_BLOCKED = (401, 403, 429)  # more requests would prolong the block


class TcgcsvSource:
    """Prices from the archives, and of the latest day from the live pages."""

    name = "tcgcsv"
    lake_name = "tcgcsv"

    def __init__(
        self,
        settings: SourceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
        **client: Any,
    ) -> None:
        self._categories = categories_of(settings.tcgcsv_categories)
        self._pattern = (
            rf"^\d{{4}}-\d{{2}}-\d{{2}}/({'|'.join(map(str, self._categories))})/\d{{1,9}}/prices$"
        )
        self._now = now
        self._pages = TcgcsvPages(settings, now, transport, **client)
        self._first_archive = threading.Lock()
        self._archive_works = False
        self._ahead: dict[date, Future[PriceRows]] = {}
        self.warnings: list[str] = []
        self._groups: dict[int, dict[str, Any]] | None = None
        self._products: dict[int, dict[str, Any]] = {}
        self._fetched_groups: set[int] = set()
        self._gave_up = False

    def available(self) -> tuple[date, date]:
        """Return the day of the first archive and of the latest update."""
        return FIRST_DAY, self._pages.live_day()

    def reach(self) -> tuple[date, date]:
        """Return the day of the first archive and today."""
        return FIRST_DAY, self._now().date()

    def usage(self) -> RequestUsage:
        """Return how much of the daily budget of requests is used."""
        return self._pages.usage()

    def catalog(self) -> pa.Table:
        """Return every card with a current price. Raise SourceError."""
        rows = self._live_rows(self._pages.live_day())
        return self._cards(rows.listings.values())

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Yield one day at a time, while the next one is fetched.

        Raise MissingAtSourceError for a day without an archive.
        """
        ordered = sorted(days)
        pool = ThreadPoolExecutor(_AHEAD)
        try:
            for position, day in enumerate(ordered):
                for each in ordered[position : position + _AHEAD]:
                    if each not in self._ahead:
                        self._ahead[each] = pool.submit(self._day, each)
                yield self._batch(self._ahead.pop(day).result())
        finally:
            pool.shutdown(cancel_futures=True)
            self._ahead = {
                day: found for day, found in self._ahead.items() if not found.cancelled()
            }

    def _batch(self, rows: PriceRows) -> PriceBatch:
        cards = self._cards(rows.listings.values())
        return PriceBatch(
            (rows.day,), rows.prices(self.name, self._now()), rows.rejections(), cards
        )

    def _day(self, day: date) -> PriceRows:
        try:
            return self._archived_rows(day)
        except SourceError as error:
            live = self._pages.live_day()
            if day == live:
                return self._live_rows_or(error, day)
            if day < live or not isinstance(error, MissingAtSourceError):
                raise
            raise MissingAtSourceError(
                self.name, error.url, f"{error.cause}: the latest prices are those of {live}"
            ) from None

    def _live_rows_or(self, error: SourceError, day: date) -> PriceRows:
        """Return the rows of the live pages. Raise `error` if there are no such pages."""
        try:
            return self._live_rows(day)
        except MissingAtSourceError as missing:
            raise error from missing

    def _archived_rows(self, day: date) -> PriceRows:
        url = f"{self._pages.url}/archive/tcgplayer/prices-{day}.ppmd.7z"
        with tempfile.TemporaryDirectory(prefix="pokewatch-") as folder:
            path = Path(folder) / "prices.7z"
            self._download(url, path)
            try:
                members = read_members(path, self._pattern)
                return self._rows_of(day, members)
            except (BadArchiveError, BadEnvelopeError) as error:
                raise SourceError(
                    self.name, shown(url), f"{error}; {day} was not collected"
                ) from error

    def _download(self, url: str, path: Path) -> None:
        """Download an archive. Raise MissingAtSourceError if it is absent or all are closed."""
        if not self._archive_works:
            with self._first_archive, self._pages.archive_lock():  # one request if it is closed
                self._request_archive(url, path)
        else:
            self._request_archive(url, path)

    def _request_archive(self, url: str, path: Path) -> None:
        if closed := self._pages.archive_closed():
            self._report_closed(closed)
            raise MissingAtSourceError(self.name, shown(url), _closed_text(closed))
        if self._pages.archive_missing(url):
            raise MissingAtSourceError(self.name, shown(url), "answered 404 Not Found")
        try:
            self._pages.http.download(url, path)
            self._archive_works = True
        except MissingAtSourceError:
            self._pages.miss_archive(url)
            raise
        except SourceError as error:
            if error.status not in _CLOSED:
                raise
            self._pages.close_archive(error.cause)
            self._report_closed(error.cause)
            raise MissingAtSourceError(self.name, shown(url), _closed_text(error.cause)) from None

    def _report_closed(self, cause: str) -> None:
        warning = f"{self.name}: {_closed_text(cause)}"
        if warning not in self.warnings:
            self._warn(warning)

    def _rows_of(self, day: date, members: dict[str, bytes]) -> PriceRows:
        rows = PriceRows(day)
        for name, body in sorted(members.items()):
            written, _, group, _ = name.split("/")
            if written != day.isoformat():
                raise BadEnvelopeError(f"the archive contains {name!r}, which is not of {day}")
            try:
                rows.add(int(group), results(parsing.parse_json(body)))
            except (ValueError, RecursionError) as error:
                raise BadEnvelopeError(f"{name}: {error}") from error
        if not rows.card_ids:
            raise BadEnvelopeError(
                f"the archive has no prices of categories {', '.join(map(str, self._categories))}"
            )
        return rows

    def _live_rows(self, day: date) -> PriceRows:
        """Return the rows of the live pages, all of them. Raise SourceError if a set fails.

        The others are fetched first, and stored, so that the next collection requests only those
        that failed.
        """
        rows = PriceRows(day)
        failed: list[SourceError] = []
        for category in self._categories:
            for group in self._groups_of(category):
                try:
                    page = f"/tcgplayer/{category}/{group}/prices"
                    rows.add(group, self._pages.results(page, day))
                except MissingAtSourceError as error:
                    self._warn(f"{error}: the prices of this set are missing")
                except SourceError as error:
                    failed.append(error)
                    if error.status in _BLOCKED or len(failed) >= _MOST_FAILURES:
                        raise self._incomplete(day, failed) from error
        if failed:
            raise self._incomplete(day, failed)
        if not rows.card_ids:
            raise SourceError(
                self.name,
                shown(self._pages.url),
                f"no live prices of categories {', '.join(map(str, self._categories))}",
            )
        return rows

    def _incomplete(self, day: date, failed: list[SourceError]) -> SourceError:
        """Return the error of a day of which some sets could not be fetched."""
        last = failed[-1]
        others = f" ({len(failed)} sets failed)" if len(failed) > 1 else ""
        cause = (
            f"{last.cause}{others}; {day} was not collected. The sets fetched so far are stored; "
            f"run the command again to continue ({self.usage()})"
        )
        return SourceError(self.name, last.url, cause, last.status)

    def _cards(self, listings: Iterable[Listing]) -> pa.Table:
        listings = list(listings)
        self._fetch_products({listing.group for listing in listings})
        return card_rows(listings, self._products, self._known_groups())

    def _fetch_products(self, groups: set[int]) -> None:
        """Fetch the products of `groups`, once each; a failure is a warning, not an error."""
        failed = 0
        for group in sorted((groups & self._known_groups().keys()) - self._fetched_groups):
            if self._gave_up:
                return
            try:
                self._fetch_group(group)
                failed = 0
            except SourceError as error:
                failed += 1
                self._gave_up = failed >= _MOST_FAILURES or error.status in _BLOCKED
                self._warn(
                    f"{error}: cards of this set have their ids as names until the next collection"
                )

    def _fetch_group(self, group: int) -> None:
        self._fetched_groups.add(group)
        category = self._known_groups()[group]["categoryId"]
        for product in self._pages.results(f"/tcgplayer/{category}/{group}/products"):
            if isinstance(product, dict) and is_id(product.get("productId")):
                self._products[product["productId"]] = product

    def _known_groups(self) -> dict[int, dict[str, Any]]:
        if self._groups is None:
            self._groups = {}
            for category in self._categories:
                try:
                    self._groups_of(category)
                except SourceError as error:
                    self._warn(
                        f"{error}: cards of category {category} have their ids as names "
                        "until the next collection"
                    )
        return self._groups

    def _groups_of(self, category: int) -> list[int]:
        found = {
            group["groupId"]: {**group, "categoryId": category}
            for group in self._pages.results(f"/tcgplayer/{category}/groups")
            if isinstance(group, dict) and is_id(group.get("groupId"))
        }
        self._groups = {**(self._groups or {}), **found}
        return sorted(found)

    def _warn(self, warning: str) -> None:
        self.warnings.append(warning)


def _closed_text(cause: str) -> str:
    return (
        f"the archive of past days is closed ({cause}); the latest day is collected from the live "
        "pages. Prices of past days come from daily collections from now on, from a file "
        "(--source file), or from --source pokemon_price_tracker"
    )
