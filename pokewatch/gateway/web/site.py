"""The routes of the pages."""

from collections.abc import Sequence

from starlette.routing import Route
from starlette.types import ASGIApp

from pokewatch.gateway.api.changes_csv import CSV_HEADER
from pokewatch.gateway.api.collections import CollectionEndpoint
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.records import RecordDownloads
from pokewatch.gateway.api.watches import WatchEndpoints
from pokewatch.gateway.http.bodies import FormBodies
from pokewatch.gateway.http.middleware import JSON, Header
from pokewatch.gateway.upstream.answer_cache import AnswerCache
from pokewatch.gateway.web import watch_page
from pokewatch.gateway.web.access import SIGN_IN, PageAccess
from pokewatch.gateway.web.collection_page import PATH, CollectionPage
from pokewatch.gateway.web.endpoints import (
    DATA,
    DataEndpoint,
    DataHandler,
    DownloadEndpoint,
    DownloadHandler,
    LinkedData,
    LostEndpoint,
    PageEndpoint,
    PageHandler,
    PageOrJson,
    SignInEndpoint,
    SignOutEndpoint,
    StaticEndpoint,
    raise_not_found,
)
from pokewatch.gateway.web.page_queries import (
    CardPageQuery,
    MoversPageQuery,
    PageQuery,
    SearchPageQuery,
)
from pokewatch.gateway.web.page_renderer import PageRenderer
from pokewatch.gateway.web.pages import Pages
from pokewatch.gateway.web.pictures import PATH as PICTURE
from pokewatch.gateway.web.pictures import PictureEndpoint
from pokewatch.gateway.web.rendering import StaticFiles, Templates
from pokewatch.gateway.web.uploads import UploadBodies

CARD = "/cards/{card_id}"
_MOVERS_FILE: Header = (b"content-disposition", b'attachment; filename="pokewatch-movers.csv"')


class Site:
    """The ASGI application of each page, by path, and the routes that only pages have."""

    def __init__(
        self,
        pages: Pages,
        collections: CollectionEndpoint,
        records: RecordDownloads,
        watches: WatchEndpoints,
        forms: FormBodies,
        access: PageAccess,
        uploads: UploadBodies,
        answers: AnswerCache,
        markets: Markets,
        pictures: PictureEndpoint | None,
    ) -> None:
        static = StaticFiles()
        renderer = PageRenderer(Templates(static), access, markets, pictures is not None)

        def page(
            path: str,
            handler: PageHandler,
            template: str,
            query: type[PageQuery] = PageQuery,
            cache: bool = True,
        ) -> ASGIApp:
            cached = answers if cache else None
            return PageEndpoint(path, template, query, handler, renderer, access, cached)

        self.pages: dict[str, ASGIApp] = {
            path: page(path, handler, template, query, cache=path != CARD or not pages.logs_visits)
            for path, handler, template, query in _cached_pages(pages)
        }
        # The status changes while the versions stay.
        self.pages["/status"] = page("/status", pages.status, "status.html", cache=False)
        watches_page = watch_page.WatchPage(watches, forms, renderer, access)
        self.pages[watch_page.PATH] = watches_page
        self.routes = [
            Route("/static/{name}", StaticEndpoint(static), methods=["GET"]),
            *_data(pages, records, renderer, access),
            *_forms(collections, uploads, watches_page, renderer, access),
        ]
        self.lost = PageOrJson(LostEndpoint(renderer), raise_not_found)
        if pictures is not None:
            self.routes.append(Route(PICTURE, pictures, methods=["GET"]))


def _cached_pages(pages: Pages) -> tuple[tuple[str, PageHandler, str, type[PageQuery]], ...]:
    """Return path, handler, template and query of each page that is made once for all visitors."""
    return (
        ("/", pages.home, "home.html", PageQuery),
        ("/cards", pages.search, "search.html", SearchPageQuery),
        (CARD, pages.card, "card.html", CardPageQuery),
        ("/movers", pages.movers, "movers.html", MoversPageQuery),
        ("/sets", pages.sets, "sets.html", PageQuery),
        ("/sets/{set_id}", pages.card_set, "set.html", PageQuery),
        ("/track-record", pages.track_record, "track_record.html", PageQuery),
    )


def _data(
    pages: Pages, records: RecordDownloads, renderer: PageRenderer, access: PageAccess
) -> list[Route]:
    """Return the routes of data that pages load or offer for download."""

    def data(path: str, headers: Sequence[Header], handler: DataHandler) -> tuple[str, ASGIApp]:
        return path, DataEndpoint(path, headers, handler, access, renderer.markets)

    def download(path: str, handler: DownloadHandler) -> tuple[str, ASGIApp]:
        return path, DownloadEndpoint(path, handler, access)

    found = (
        data(f"{DATA}/suggestions", [JSON], pages.suggestions),
        data(f"{DATA}/movers.csv", [CSV_HEADER, _MOVERS_FILE], pages.movers_csv),
        download(f"{DATA}/track-record.csv", records.csv),
        download(f"{DATA}/track-record.parquet", records.parquet),
    )
    return [Route(path, LinkedData(app, renderer), methods=["GET"]) for path, app in found]


def _forms(
    collections: CollectionEndpoint,
    uploads: UploadBodies,
    watches: watch_page.WatchPage,
    renderer: PageRenderer,
    access: PageAccess,
) -> list[Route]:
    """Return the routes that take forms: pages, and addresses to which other pages post."""
    collection = CollectionPage(collections, renderer, access, uploads)
    return [
        Route(PATH, collection, methods=["GET", "POST"]),
        Route(watch_page.ADD, watches, methods=["GET", "POST"]),
        Route(watch_page.REMOVE, watches, methods=["GET", "POST"]),
        Route(SIGN_IN, SignInEndpoint(renderer, access), methods=["GET", "POST"]),
        Route("/sign-out", SignOutEndpoint(renderer, access), methods=["POST"]),
    ]
