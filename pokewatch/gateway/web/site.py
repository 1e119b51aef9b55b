"""The routes of the pages."""

from starlette.routing import Route
from starlette.types import ASGIApp

from pokewatch.gateway.api.collections import CollectionEndpoint
from pokewatch.gateway.upstream.answer_cache import AnswerCache
from pokewatch.gateway.upstream.version_poller import VersionPoller
from pokewatch.gateway.web.access import SIGN_IN, PageAccess
from pokewatch.gateway.web.collection_page import PATH, CollectionPage
from pokewatch.gateway.web.endpoints import (
    PageEndpoint,
    PageHandler,
    PageRenderer,
    SignInEndpoint,
    SignOutEndpoint,
    StaticEndpoint,
    SuggestionsEndpoint,
)
from pokewatch.gateway.web.pages import Pages
from pokewatch.gateway.web.rendering import StaticFiles, Templates
from pokewatch.gateway.web.uploads import UploadBodies


class Site:
    """The ASGI application of each page, by path, and the routes that only pages have."""

    def __init__(
        self,
        pages: Pages,
        collections: CollectionEndpoint,
        access: PageAccess,
        uploads: UploadBodies,
        answers: AnswerCache,
        poller: VersionPoller,
    ) -> None:
        static = StaticFiles()
        renderer = PageRenderer(Templates(static), access, poller)

        def page(path: str, handler: PageHandler, template: str, cache: bool = True) -> ASGIApp:
            cached = answers if cache else None
            return PageEndpoint(path, template, handler, renderer, access, cached, poller)

        self.pages: dict[str, ASGIApp] = {
            path: page(path, handler, template)
            for path, handler, template in (
                ("/", pages.home, "home.html"),
                ("/cards", pages.search, "search.html"),
                ("/cards/{card_id}", pages.card, "card.html"),
                ("/movers", pages.movers, "movers.html"),
                ("/sets", pages.sets, "sets.html"),
                ("/sets/{set_id}", pages.card_set, "set.html"),
            )
        }
        # The status changes while the versions stay.
        self.pages["/status"] = page("/status", pages.status, "status.html", cache=False)
        self.routes = [
            Route("/static/{name}", StaticEndpoint(static), methods=["GET"]),
            Route(
                "/page-data/suggestions",
                SuggestionsEndpoint(pages, renderer, access),
                methods=["GET"],
            ),
            Route(
                PATH,
                CollectionPage(collections, renderer, access, uploads),
                methods=["GET", "POST"],
            ),
            Route(SIGN_IN, SignInEndpoint(renderer, access), methods=["GET", "POST"]),
            Route("/sign-out", SignOutEndpoint(renderer, access), methods=["POST"]),
        ]
