"""TCGCSV's pages, each requested at most once in 24 hours.

A page is stored as soon as it is fetched. A run that failed or was killed is continued by the next
one, and runs at the same time share what they fetch.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import sleep as wait_for
from typing import Any
from urllib.parse import urlsplit

import httpx

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.sources import RequestUsage, parsing
from pokewatch.market.sources.http import HttpClient, HttpLimits, shown
from pokewatch.market.sources.request_gate import RequestGate
from pokewatch.market.sources.request_store import DAY_SECONDS, RequestStore, StoredPage
from pokewatch.market.sources.tcgcsv_rows import BadEnvelopeError, doubt_of, results
from pokewatch.settings import Home, SourceSettings

_NAME = "tcgcsv"
_UPDATED_FROM, _UPDATED_BY = time(20, 0), time(20, 30)  # UTC: when the day's prices appear
_LONGEST_WAIT = 900.0  # seconds for a page that is almost 24 hours old: runs do not start on time
_LATE = 3600.0  # seconds after which late prices are asked for again
_ARCHIVE = "/archive/tcgplayer/"
_BLOCK = 600.0  # seconds that TCGCSV refuses requests for after a burst
_HINTS = {401: "TCGCSV refuses requests without a User-Agent"}


class NotDueError(SourceError):
    """A page that was fetched for another day less than 24 hours ago."""


class TcgcsvPages:
    """A client of one TCGCSV server. Pages, pace and budget are shared by all runs of a home.

    Pages are stored under their address without user and password: those are no part of the page.
    `warn` is called for pages that may lack rows.
    """

    def __init__(
        self,
        settings: SourceSettings,
        now: Callable[[], datetime],
        warn: Callable[[str], None],
        **client: Any,
    ) -> None:
        self._warn = warn
        self.url = settings.tcgcsv_url.rstrip("/")
        self._now = now
        self._sleep = client.get("sleep", wait_for)
        self._limit = settings.tcgcsv_daily_requests
        host = urlsplit(self.url).netloc.rpartition("@")[2].replace(":", "-")
        folder = Home.read().requests
        self.archive_folder = folder / f"{host}-archives"
        self._store = RequestStore(folder / f"{host}.sqlite")
        self._gate = RequestGate(settings.pause(), self._store, self._limit, self._time)
        limits = HttpLimits(
            read=settings.http_timeout, attempts=settings.http_attempts, block=_BLOCK
        )
        self.http = HttpClient(_NAME, limits, hints=_HINTS, gate=self._gate, **client)
        self._day: date | None = None

    def usage(self) -> RequestUsage:
        return RequestUsage(self._gate.sent, self._store.requests(self._time()), self._limit)

    def results(self, path: str, day: date | None = None) -> list[Any]:
        """Return the rows of a page; for prices and new sets, `day` is the day they are of.

        Warn of a page that may lack rows. Raise SourceError, and MissingAtSourceError
        for 404.
        """
        url = self.url + path
        try:
            body = parsing.parse_json(self._page(path, day, _check_envelope).body)
            rows = results(body)
        except BadEnvelopeError as error:
            raise SourceError(_NAME, shown(url), str(error)) from None
        if fault := doubt_of(body):
            self._warn(f"{_NAME}: {shown(url)}: {fault}")
        return rows

    def live_day(self) -> date:
        """Return the day of the latest update, by the schedule if it is not published."""
        if self._day is None:
            self._day = self._latest_update()
        return self._day

    def check_latest(self, day: date) -> None:
        """Raise SourceError if a later update has replaced prices while those of `day` were read.

        Without this, some sets would have the prices of one day, and some those of the next.
        """
        now = self._now()
        if day >= now.date() or now.time() < _UPDATED_FROM:
            return
        url = f"{self.url}/last-updated.txt"
        try:
            with self._store.locked("pages"):
                latest = parsing.day(self._fetch(url, None, _check_time).body.strip())
        except SourceError:
            return
        if latest is not None and day < latest <= now.date():
            cause = (
                f"the prices of {latest} appeared while those of {day} were requested; {day} was "
                f"not collected. Run the command after {_UPDATED_BY:%H:%M} UTC from tomorrow on"
            )
            raise SourceError(_NAME, shown(url), cause)

    def archive_lock(self) -> AbstractContextManager[None]:
        """Return a lock of all threads and runs, for one download at a time."""
        return self._store.locked("archive")

    def archive_closed(self) -> str | None:
        """Return the answer by which the archive refused a request within 24 hours, if it did."""
        page = self._recent(self.url + _ARCHIVE)
        return page.body if page else None

    def close_archive(self, cause: str) -> None:
        self._write(self.url + _ARCHIVE, None, httpx.codes.FORBIDDEN, cause)

    def archive_missing(self, url: str) -> bool:
        """Return whether the archive at `url` was absent within 24 hours."""
        return self._recent(url) is not None

    def miss_archive(self, url: str) -> None:
        self._write(url, None, httpx.codes.NOT_FOUND, "")

    def is_recent(self, path: Path) -> bool:
        """Return whether the file at `path` was fetched within 24 hours."""
        return path.exists() and self._age(path.stat().st_mtime) < DAY_SECONDS

    def failures(self, day: date) -> dict[str, str]:
        """Return the pages of prices of `day` that the last run did not get, cause by path."""
        failed = self._store.failures(day).items()
        return {url.removeprefix(shown(self.url)): cause for url, cause in failed}

    def write_failures(self, day: date, failures: Mapping[str, str]) -> None:
        """Record the pages of prices of `day` that this run did not get, cause by path."""
        base = shown(self.url)
        self._store.write_failures(day, {base + path: why for path, why in failures.items()})

    def _latest_update(self) -> date:
        now = self._now()
        latest = datetime.combine(now.date(), _UPDATED_BY, UTC)
        if latest > now:
            latest -= timedelta(days=1)
        try:
            page = self._last_updated(latest.date())
        except SourceError:
            return latest.date()
        day = parsing.day(page.body.strip())  # None: the page is absent
        if day is None or day > now.date():  # a wrong year: no prices are of a future day
            return latest.date()
        # A page older than the latest update says nothing about it, and is not requested again yet.
        return max(day, latest.date()) if page.fetched < latest.timestamp() else day

    def _last_updated(self, expected: date) -> StoredPage:
        """Return the page that has the time of the latest update.

        It is requested again sooner than other pages where prices are late: a day would be lost if
        they were not noticed before those of the next day replace them.
        """
        url = f"{self.url}/last-updated.txt"
        with self._store.locked("pages"):
            page = self._store.page(shown(url))
            if page is not None:
                day = parsing.day(page.body.strip())
                late = day is not None and day < expected
                if self._age(page.fetched) < (_LATE if late else DAY_SECONDS):
                    return page
            return self._fetch(url, None, _check_time)

    def _page(self, path: str, day: date | None, check: Callable[[str], Any]) -> StoredPage:
        """Return a stored page, or fetch and store it; `check` raises for a page not to store."""
        url = self.url + path
        with self._store.locked("pages"):
            page = self._store.page(shown(url))
            if page is None or not self._is_current(page, day):
                if page is not None:
                    self._wait_until_due(url, page)
                page = self._fetch(url, day, check)
        if page.status == httpx.codes.NOT_FOUND:
            raise MissingAtSourceError(_NAME, shown(url), "answered 404 Not Found", 404)
        return page

    def _recent(self, url: str) -> StoredPage | None:
        """Return the stored page if it is less than 24 hours old."""
        page = self._store.page(shown(url))
        return page if page and self._age(page.fetched) < DAY_SECONDS else None

    def _is_current(self, page: StoredPage, day: date | None) -> bool:
        return page.day == day if day else self._age(page.fetched) < DAY_SECONDS

    def _wait_until_due(self, url: str, page: StoredPage) -> None:
        wait = DAY_SECONDS - self._age(page.fetched)
        if wait > _LONGEST_WAIT:
            due = datetime.fromtimestamp(page.fetched + DAY_SECONDS, UTC)
            cause = (
                f"not requested: it was fetched for {page.day} less than 24 hours ago, and TCGCSV "
                f"allows each page once in 24 hours; run the command after {due:%Y-%m-%d %H:%M} UTC"
            )
            raise NotDueError(_NAME, shown(url), cause)
        if wait > 0:
            self._sleep(wait)

    def _fetch(self, url: str, day: date | None, check: Callable[[str], Any]) -> StoredPage:
        try:
            body, status = self.http.text(url), 200
        except MissingAtSourceError:
            if url.endswith("/groups"):
                raise  # without its sets nothing of a category can be collected
            body, status = "", 404
        except SourceError as error:
            if error.status == httpx.codes.FORBIDDEN:
                self._gate.block(_BLOCK)
            raise
        else:
            try:
                check(body)
            except (ValueError, RecursionError, OverflowError) as error:
                cause = (
                    str(error) if isinstance(error, BadEnvelopeError) else parsing.not_json(body)
                )
                raise SourceError(_NAME, shown(url), cause, httpx.codes.OK) from None
        return self._write(url, day, status, body)

    def _write(self, url: str, day: date | None, status: int, body: str) -> StoredPage:
        page = StoredPage(self._time(), day, status, body)
        self._store.write_page(shown(url), page)
        return page

    def _age(self, fetched: float) -> float:
        return abs(self._time() - fetched)  # the clock may have been set back

    def _time(self) -> float:
        return self._now().timestamp()


def _check_envelope(body: str) -> None:
    results(parsing.parse_json(body))


def _check_time(body: str) -> None:
    if parsing.day(body.strip()) is None:
        raise ValueError("it is not a time")
