"""TCGCSV, a public mirror of TCGplayer's catalogue and daily prices in USD.

/archive/tcgplayer/prices-YYYY-MM-DD.ppmd.7z     one day of every game, 7z with PPMd
/tcgplayer/{category}/groups                     sets
/tcgplayer/{category}/{group}/products           cards and sealed products
/tcgplayer/{category}/{group}/prices             today's prices
/last-updated.txt                                when today's prices were taken
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from pokewatch.errors import DamagedDayError, MissingAtSourceError, SourceError
from pokewatch.market.sources import PriceBatch, RequestUsage, Source
from pokewatch.market.sources.games import categories_of, game_of, tcgplayer_market
from pokewatch.market.sources.tcgcsv_archives import TcgcsvArchives
from pokewatch.market.sources.tcgcsv_catalog import TcgcsvCatalog
from pokewatch.market.sources.tcgcsv_live import TcgcsvLive
from pokewatch.market.sources.tcgcsv_pages import TcgcsvPages
from pokewatch.market.sources.tcgcsv_rows import PriceRows
from pokewatch.settings import SourceSettings

FIRST_DAY = date(2024, 2, 8)
_AHEAD = 2  # days fetched and unpacked concurrently


class TcgcsvSource(Source):
    """Prices from the archives, and of the latest day from the live pages."""

    name = "tcgcsv"
    lake_name = "tcgcsv"

    def __init__(
        self,
        settings: SourceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **client: Any,
    ) -> None:
        self._categories = categories_of(settings.tcgcsv_categories)
        self.market = tcgplayer_market(self._categories)
        self.games = tuple(map(game_of, self._categories))
        self._now = now
        self._warnings: list[str] = []
        self._pages = TcgcsvPages(settings, now, self._warn, **client)
        self._catalog = TcgcsvCatalog(self._pages, self._warn)
        self._archives = TcgcsvArchives(self._pages, self._categories, now, self._warn)
        self._live = TcgcsvLive(self._pages, self._catalog, self._categories, self._warn)
        self._ahead: dict[date, Future[PriceRows]] = {}

    @property
    def warnings(self) -> list[str]:
        return self._warnings

    def available(self) -> tuple[date, date]:
        """Return the day of the first archive and of the latest update."""
        return FIRST_DAY, self._pages.live_day()

    def reach(self) -> tuple[date, date]:
        """Return the day of the first archive and today."""
        return FIRST_DAY, self._now().date()

    def usage(self) -> RequestUsage:
        """Return how much of the daily budget of requests is used."""
        return self._pages.usage()

    def missing_sets(self, day: date) -> list[str]:
        """Return the pages for `day` that its last run did not get."""
        return self._live.missing(day)

    def lost_sets(self, day: date) -> list[str]:
        """Return the pages of prices for `day` that failed until later prices replaced them."""
        return self._live.missing(day) if day < self._pages.live_day() else []

    def catalog(self) -> pa.Table:
        """Return every card with a current price. Raise SourceError."""
        rows = self._live.rows(self._pages.live_day())
        return self._catalog.cards(rows.listings.values())

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Yield one day at a time, while the next one is fetched.

        Raise MissingAtSourceError for a day without an archive, DamagedDayError for a damaged one.
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
        cards = self._catalog.cards(rows.listings.values())
        failures = self._catalog.failures
        if (failures or self._live.missing(rows.day)) and rows.day == self._pages.live_day():
            self._live.write_products(rows.day, failures)
        return PriceBatch(
            (rows.day,),
            rows.prices(self.name, self._now()),
            rows.rejections(),
            cards,
            self.games,
        )

    def _day(self, day: date) -> PriceRows:
        try:
            rows = self._archives.rows(day)
            self._live.forget(day)
            return rows
        except SourceError as error:
            live = self._pages.live_day()
            if day == live:
                return self._live_rows_or(error, day)
            if day < live and self._live.missing(day) and not isinstance(error, DamagedDayError):
                raise MissingAtSourceError(self.name, error.url, error.cause) from error
            if day < live or not isinstance(error, MissingAtSourceError):
                raise
            raise MissingAtSourceError(
                self.name, error.url, f"{error.cause}: the latest prices are those of {live}"
            ) from None

    def _live_rows_or(self, error: SourceError, day: date) -> PriceRows:
        """Return the rows of the live pages. Raise `error`, completed, if there are none."""
        try:
            return self._live.rows(day)
        except MissingAtSourceError as missing:
            cause = f"{error.cause}; {missing.url}: {missing.cause}"
            raise type(error)(self.name, error.url, cause, error.status) from missing

    def _warn(self, warning: str) -> None:
        """Add a warning to the report, once: days are fetched by several threads."""
        if warning not in self._warnings:
            self._warnings.append(warning)
