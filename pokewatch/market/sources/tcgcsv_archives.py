"""TCGCSV's archives: the prices of one day of every game, /archive/tcgplayer/prices-*.ppmd.7z.

An archive is requested at most once in 24 hours, and its file is kept that long. The archives have
been closed since September 2026; while they are, one request in 24 hours finds out.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pokewatch.errors import DamagedDayError, LakeError, MissingAtSourceError, SourceError
from pokewatch.market.sources import parsing
from pokewatch.market.sources.archive import BadArchiveError, read_members
from pokewatch.market.sources.http import shown
from pokewatch.market.sources.request_store import DAY_SECONDS
from pokewatch.market.sources.tcgcsv_pages import TcgcsvPages
from pokewatch.market.sources.tcgcsv_rows import BadEnvelopeError, PriceRows, results
from pokewatch.settings import private_folder

_NAME = "tcgcsv"
_CLOSED = (401, 403, 410, 451)


class TcgcsvArchives:
    """The archives of one TCGCSV server. `warn` is called when they are closed."""

    def __init__(
        self,
        pages: TcgcsvPages,
        categories: Sequence[int],
        now: Callable[[], datetime],
        warn: Callable[[str], None],
    ) -> None:
        self._pages = pages
        self._categories = categories
        self._now = now
        self._warn = warn

    def rows(self, day: date) -> PriceRows:
        """Return the prices of `day`.

        Raise SourceError; MissingAtSourceError if it is absent, DamagedDayError if it is damaged.
        """
        url = f"{self._pages.url}/archive/tcgplayer/prices-{day}.ppmd.7z"
        path = self._fetched(url)
        numbers = "|".join(map(str, self._categories))
        try:
            members = read_members(path, rf"^\d{{4}}-\d\d-\d\d/({numbers})/\d{{1,9}}/prices$")
            return self._rows_of(day, members)
        except BadArchiveError as error:
            path.unlink(missing_ok=True)  # the answer was not the archive
            cause = f"{error}; {day} was not collected"
            raise DamagedDayError(_NAME, shown(url), cause) from error
        except BadEnvelopeError as error:
            due = datetime.fromtimestamp(path.stat().st_mtime, UTC) + timedelta(hours=24)
            cause = (
                f"{error}; {day} was not collected. The archive is requested again after "
                f"{due:%Y-%m-%d %H:%M} UTC"
            )
            raise DamagedDayError(_NAME, shown(url), cause) from error

    def _fetched(self, url: str) -> Path:
        """Return the file of an archive, downloaded if it is not kept yet."""
        path = self._pages.archive_folder / url.rpartition("/")[2]
        with self._pages.archive_lock():
            if not self._pages.is_recent(path):
                self._check_open(url)
                self._request(url, path)
        return path

    def _check_open(self, url: str) -> None:
        if closed := self._pages.archive_closed():
            self._warn(_closed_text(closed))
            raise MissingAtSourceError(_NAME, shown(url), _closed_text(closed))
        if self._pages.archive_missing(url):
            raise MissingAtSourceError(_NAME, shown(url), "answered 404 Not Found")

    def _request(self, url: str, path: Path) -> None:
        try:
            self._download(url, path)
        except MissingAtSourceError:
            self._pages.miss_archive(url)
            raise
        except SourceError as error:
            if error.status not in _CLOSED:
                raise
            self._pages.close_archive(error.cause)
            self._warn(_closed_text(error.cause))
            raise MissingAtSourceError(_NAME, shown(url), _closed_text(error.cause)) from None

    def _download(self, url: str, path: Path) -> None:
        now = self._now().timestamp()
        try:
            private_folder(path.parent)
            for file in path.parent.iterdir():  # those of a killed run among them
                if now - file.stat().st_mtime > 2 * DAY_SECONDS:
                    file.unlink()
            self._pages.http.download(url, path)
            os.utime(path, (now, now))
        except OSError as error:
            raise LakeError(
                f"{path} cannot be written: {error.strerror or error}. Free space or correct the "
                "permissions of the folder, then run the command again"
            ) from error

    def _rows_of(self, day: date, members: dict[str, bytes]) -> PriceRows:
        rows = PriceRows(day)
        for name, body in sorted(members.items()):
            written, category, group, _ = name.split("/")
            if written != day.isoformat():
                raise BadEnvelopeError(f"the archive contains {name!r}, which is not of {day}")
            try:
                rows.add(int(category), int(group), results(parsing.parse_json(body)))
            except BadEnvelopeError as error:
                raise BadEnvelopeError(f"{name}: {error}") from error
            except (ValueError, RecursionError) as error:
                cause = parsing.not_json(body.decode("utf-8-sig", errors="replace"))
                raise BadEnvelopeError(f"{name}: {cause}") from error
        if not rows.card_ids:
            why = f": {rows.most_rejected()}" if rows.rejected else ""
            numbers = ", ".join(map(str, self._categories))
            raise BadEnvelopeError(f"the archive has no prices of categories {numbers}{why}")
        return rows


def _closed_text(cause: str) -> str:
    return (
        f"the archive of past days is closed ({cause}); the latest day is collected from the live "
        "pages. Prices of past days come from daily collections from now on, from a file "
        "(--source file), or from --source pokemon_price_tracker"
    )
