"""TCGCSV, a public mirror of TCGplayer's catalogue and daily prices in USD.

/archive/tcgplayer/prices-YYYY-MM-DD.ppmd.7z     one day of every game, 7z with PPMd
/tcgplayer/{category}/groups                     sets
/tcgplayer/{category}/{group}/products           cards and sealed products
/tcgplayer/{category}/{group}/prices             today's prices
/last-updated.txt                                when today's prices were taken
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.sources import PriceBatch, parsing
from pokewatch.market.sources.archive import BadArchiveError, read_members
from pokewatch.market.sources.games import categories_of
from pokewatch.market.sources.http import HttpClient, HttpLimits, shown
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
_UPDATED_BY = time(20, 30)  # UTC: prices of the day appear about 20:00
_AHEAD = 2  # days fetched and unpacked concurrently
_MOST_FAILURES = 3  # groups in a row that may fail before the catalogue is left incomplete


class TcgcsvSource:
    """Prices from the archives, or from the live pages for a day not archived yet."""

    name = "tcgcsv"
    lake_name = "tcgcsv"

    def __init__(
        self,
        settings: SourceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
        **client: Any,
    ) -> None:
        self._url = settings.tcgcsv_url.rstrip("/")
        self._categories = categories_of(settings.tcgcsv_categories)
        self._pattern = (
            rf"^\d{{4}}-\d{{2}}-\d{{2}}/({'|'.join(map(str, self._categories))})/\d{{1,9}}/prices$"
        )
        self._now = now
        limits = HttpLimits(
            read=settings.http_timeout, attempts=settings.http_attempts, pause=settings.pause()
        )
        self._http = HttpClient(self.name, limits, transport=transport, **client)
        self.warnings: list[str] = []
        self._groups: dict[int, dict[str, Any]] | None = None
        self._products: dict[int, dict[str, Any]] = {}
        self._fetched_groups: set[int] = set()
        self._gave_up = False

    def available(self) -> tuple[date, date]:
        """Return the day of the first archive and of the latest update."""
        return FIRST_DAY, self._live_day()

    def reach(self) -> tuple[date, date]:
        """Return the day of the first archive and today."""
        return FIRST_DAY, self._now().date()

    def catalog(self) -> pa.Table:
        """Return every card with a current price. Raise SourceError."""
        rows = self._live_rows(self._live_day())
        return self._cards(rows.listings.values())

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Yield one day at a time, while the next one is fetched.

        Raise MissingAtSourceError for a day without an archive.
        """
        upcoming = iter(sorted(days))
        pool = ThreadPoolExecutor(_AHEAD)
        try:
            waiting: deque[Future[PriceRows]] = deque(
                pool.submit(self._day, day) for day in islice(upcoming, _AHEAD)
            )
            while waiting:
                rows = waiting.popleft().result()
                waiting.extend(pool.submit(self._day, day) for day in islice(upcoming, 1))
                yield self._batch(rows)
        finally:
            pool.shutdown(cancel_futures=True)

    def _batch(self, rows: PriceRows) -> PriceBatch:
        cards = self._cards(rows.listings.values())
        return PriceBatch(
            (rows.day,), rows.prices(self.name, self._now()), rows.rejections(), cards
        )

    def _day(self, day: date) -> PriceRows:
        try:
            return self._archived_rows(day)
        except MissingAtSourceError as error:
            if day < self._now().date() - timedelta(days=1):
                raise
            live = self._live_day()
            if day != live:
                raise MissingAtSourceError(
                    self.name, error.url, f"{error.cause}: the latest prices are those of {live}"
                ) from None
            return self._live_rows(day)

    def _archived_rows(self, day: date) -> PriceRows:
        url = f"{self._url}/archive/tcgplayer/prices-{day}.ppmd.7z"
        with tempfile.TemporaryDirectory(prefix="pokewatch-") as folder:
            path = Path(folder) / "prices.7z"
            self._http.download(url, path)
            try:
                members = read_members(path, self._pattern)
                return self._rows_of(day, members)
            except (BadArchiveError, BadEnvelopeError) as error:
                raise SourceError(
                    self.name, shown(url), f"{error}; {day} was not collected"
                ) from error

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

    def _live_day(self) -> date:
        """Return the day of the latest update, by the schedule if it is not published."""
        try:
            text = self._http.text(f"{self._url}/last-updated.txt")
            return datetime.fromisoformat(text.strip()).astimezone(UTC).date()
        except (SourceError, ValueError, OverflowError):
            now = self._now()
            return now.date() if now.time() >= _UPDATED_BY else now.date() - timedelta(days=1)

    def _live_rows(self, day: date) -> PriceRows:
        rows = PriceRows(day)
        for category in self._categories:
            for group in self._groups_of(category):
                try:
                    rows.add(group, self._results(f"/tcgplayer/{category}/{group}/prices"))
                except MissingAtSourceError as error:
                    self._warn(f"{error}: the prices of this set are missing")
        if not rows.card_ids:
            raise SourceError(
                self.name,
                shown(self._url),
                f"no live prices of categories {', '.join(map(str, self._categories))}",
            )
        return rows

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
                self._gave_up = failed >= _MOST_FAILURES
                self._warn(
                    f"{error}: cards of this set have their ids as names until the next collection"
                )

    def _fetch_group(self, group: int) -> None:
        self._fetched_groups.add(group)
        category = self._known_groups()[group]["categoryId"]
        for product in self._results(f"/tcgplayer/{category}/{group}/products"):
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
            for group in self._results(f"/tcgplayer/{category}/groups")
            if isinstance(group, dict) and is_id(group.get("groupId"))
        }
        self._groups = {**(self._groups or {}), **found}
        return sorted(found)

    def _results(self, path: str) -> list[Any]:
        url = self._url + path
        try:
            return results(self._http.json(url))
        except BadEnvelopeError as error:
            raise SourceError(self.name, shown(url), str(error)) from None

    def _warn(self, warning: str) -> None:
        self.warnings.append(warning)
