"""The pictures of cards: downloaded in the background and kept in memory, so that browsers ask
nobody else for them.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from pokewatch.gateway.api.catalog_calls import card_call, card_id_of
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import parse_query
from pokewatch.gateway.auth.authentication import unauthorized
from pokewatch.gateway.http.middleware import Header, context_of
from pokewatch.gateway.web.access import PageAccess
from pokewatch.gateway.web.endpoints import send_page
from pokewatch.gateway.web.page_queries import PageQuery, market_of
from pokewatch.gateway.web.picture_client import Picture, PictureClient, PictureError
from pokewatch.gateway.web.rendering import StaticFiles

logger = logging.getLogger("pokewatch.gateway.web.pictures")

PATH = "/pictures/{card_id}"
PLACEHOLDER = "no-picture.svg"
RETRY_SECONDS = 3_600.0
_MAX_WAITING = 64  # downloads; further ones are not begun
_AT_ONCE = 2
_MAX_FAILURES = 10_000
_DAY: Header = (b"cache-control", b"private, max-age=86400")


class Pictures:
    """Pictures by their address, up to `max_bytes` of those used last.

    An address that failed is not asked again for RETRY_SECONDS.
    """

    def __init__(
        self, client: PictureClient, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._max_bytes = max_bytes
        self._clock = clock
        self._stored: OrderedDict[str, Picture] = OrderedDict()
        self._failed: OrderedDict[str, float] = OrderedDict()
        self._downloads: dict[str, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self.bytes = 0

    def find(self, url: str) -> Picture | None:
        """Return a picture; if it is not here, begin its download and return None."""
        if (found := self._stored.get(url)) is not None:
            self._stored.move_to_end(url)
            return found
        failed = self._clock() - self._failed.get(url, -RETRY_SECONDS) < RETRY_SECONDS
        if not failed and url not in self._downloads and len(self._downloads) < _MAX_WAITING:
            self._downloads[url] = asyncio.create_task(self._download(url))
        return None

    async def close(self) -> None:
        """Cancel the downloads."""
        downloads = list(self._downloads.values())
        for download in downloads:
            download.cancel()
        await asyncio.gather(*downloads, return_exceptions=True)
        self._downloads.clear()  # those cancelled before they began are still here

    async def _download(self, url: str) -> None:
        try:
            async with self._at_once:
                self._store(url, await self._client.fetch(url))
        except PictureError as error:
            logger.warning("no picture from %s: %s", url[:200], error)
            self._failed[url] = self._clock()
            self._failed.move_to_end(url)
            if len(self._failed) > _MAX_FAILURES:
                self._failed.popitem(last=False)
        finally:
            self._downloads.pop(url, None)

    def _store(self, url: str, picture: Picture) -> None:
        self._stored[url] = picture
        self.bytes += len(picture.content)
        while self.bytes > self._max_bytes:
            _, oldest = self._stored.popitem(last=False)
            self.bytes -= len(oldest.content)


class PictureEndpoint:
    """ASGI application of a card's picture; a placeholder until it is here."""

    def __init__(self, pictures: Pictures, markets: Markets, access: PageAccess) -> None:
        self._pictures = pictures
        self._markets = markets
        self._access = access
        # Asked for without its version, so that no cache keeps it.
        self._placeholder = StaticFiles().answer(PLACEHOLDER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = PATH
        if await self._access.admit(context) is not None:
            raise unauthorized("sign in first")
        query = parse_query(PageQuery, context.scope["query_string"])
        card_id = card_id_of(context)
        reader = market_of(self._markets, query, card_id).reader
        card = await reader.read(card_call(card_id), context.forwarded_headers())
        found = self._pictures.find(card.image_url) if card.image_url else None
        if found is None:
            answer = self._placeholder
        else:
            answer = 200, [(b"content-type", found.kind), _DAY], found.content
        await send_page(context, send, answer)
