"""Pictures of cards: the cache, and the gateway in front of a real HTTPS server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pyarrow as pa
import pytest
from playwright.sync_api import Browser, Response, Route

from pokewatch.gateway.web.picture_client import PictureClient
from pokewatch.gateway.web.pictures import _MAX_WAITING, RETRY_SECONDS, Pictures
from pokewatch.valuation.book import write_book
from tests.gateway.clock import Clock
from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.web.browsing import browser, opened  # noqa: F401
from tests.gateway.web.pages import BROWSER, page
from tests.gateway.web.picture_server import PNG, PictureServer, content, picture_server
from tests.polling import eventually
from tests.serving.books import FACTS, catalog, rows
from tests.serving.server import serving_book

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PictureServer]:
    with picture_server(tmp_path) as found:
        yield found


def client_of(server: PictureServer) -> PictureClient:
    return PictureClient([server.host], server.trusting, lambda _: True)


async def asked(pictures: Pictures, *urls: str) -> list[bytes | None]:
    """Ask for each picture, wait for the downloads, and ask again."""
    for url in urls:
        pictures.find(url)
    await asyncio.gather(*pictures._downloads.values())
    found = [pictures.find(url) for url in urls]
    return [None if each is None else each.content for each in found]


def test_a_picture_is_there_after_its_download(server: PictureServer) -> None:
    async def scenario() -> None:
        pictures = Pictures(client_of(server), 10_000)
        url = server.url("/1.png")
        assert pictures.find(url) is None
        assert pictures.find(url) is None
        assert await asked(pictures, url) == [PNG]
        assert server.asked == ["/1.png"]
        await pictures.close()

    asyncio.run(scenario())


def test_the_memory_is_bounded_and_what_was_used_last_stays(server: PictureServer) -> None:
    async def scenario() -> None:
        pictures = Pictures(client_of(server), 3 * len(PNG))
        urls = [server.url(f"/{number}.png") for number in range(4)]
        for url in urls[:3]:
            await asked(pictures, url)
        pictures.find(urls[0])
        await asked(pictures, urls[3])
        assert pictures.bytes == 3 * len(PNG)
        assert [pictures.find(url) is not None for url in (urls[0], urls[2], urls[3])] == [True] * 3
        assert pictures.find(urls[1]) is None
        await pictures.close()

    asyncio.run(scenario())


def test_a_failure_is_not_asked_again_for_an_hour(
    server: PictureServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.replies["/1.png"] = content(b"", 404)

    async def scenario() -> None:
        clock = Clock()
        pictures = Pictures(client_of(server), 10_000, clock)
        url = server.url("/1.png")
        assert await asked(pictures, url, url) == [None, None]
        assert server.asked == ["/1.png"]
        clock.now += RETRY_SECONDS
        del server.replies["/1.png"]
        assert await asked(pictures, url) == [PNG]
        await pictures.close()

    asyncio.run(scenario())
    assert "status 404" in caplog.text


def test_the_downloads_that_wait_are_bounded_and_end_with_the_gateway(
    server: PictureServer,
) -> None:
    async def scenario() -> None:
        pictures = Pictures(client_of(server), 10_000)
        for number in range(_MAX_WAITING + 20):
            pictures.find(server.url(f"/{number}.png"))
        assert len(pictures._downloads) == _MAX_WAITING
        await pictures.close()
        assert pictures._downloads == {}

    asyncio.run(scenario())


@dataclass(frozen=True)
class Shop:
    """A model server with pictures of cards 1 and 2, which `pictures` has."""

    url: str
    pictures: PictureServer


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    with picture_server(folder) as pictures, model_server(folder, pictures) as url:
        yield Shop(url, pictures)


@contextmanager
def model_server(folder: Path, server: PictureServer) -> Iterator[str]:
    cards = catalog(4)
    urls = [None, server.url("/1.png"), server.url("/2.png"), "https://elsewhere.test/3.png"]
    column = cards.schema.get_field_index("image_url")
    cards = cards.set_column(column, "image_url", pa.array(urls))
    digest = write_book(folder / "book", cards, rows(4), replace(FACTS))
    with serving_book(folder, digest) as found:
        yield found.url


def picture_of(gateway: Gateway, slug: str, **more: Any) -> httpx.Response:
    return gateway.get(f"/pictures/{slug}", key="", **more)


def test_pages_show_pictures_from_the_gateway_alone(shop: Shop, tmp_path: Path) -> None:
    server = shop.pictures
    with gateway_at(shop.url, tmp_path, pictures=True, picture_hosts=(server.host,)) as gateway:
        gateway.app.assembly.pictures._client = client_of(server)
        text = gateway.get("/cards/card_1", key="", headers=BROWSER).text
        assert 'src="/pictures/card_1"' in text
        assert "localhost" not in text
        assert server.asked == []
        first = picture_of(gateway, "card_1")
        assert first.headers["content-type"] == "image/svg+xml"
        assert first.headers["cache-control"] == "no-store"
        found = eventually(
            lambda: picture_of(gateway, "card_1"),
            lambda reply: reply.headers["content-type"] == "image/png",
        )
        assert found.content == PNG
        assert found.headers["cache-control"] == "private, max-age=86400"
        assert found.headers["x-content-type-options"] == "nosniff"
        for slug in ("card_0", "card_3"):
            assert picture_of(gateway, slug).headers["content-type"] == "image/svg+xml"
        assert "<img" not in gateway.get("/cards/card_0", key="", headers=BROWSER).text
        assert picture_of(gateway, "nobody").status_code == 404
        assert gateway.ask("POST", "/pictures/card_1", key="").status_code == 405
        assert server.asked == ["/1.png"]


def test_a_picture_that_arrives_is_shown_in_a_market_that_is_named(
    browser: Browser,  # noqa: F811
    shop: Shop,
    tmp_path: Path,
) -> None:
    server = shop.pictures
    named = ('src="/pictures/card_2', 'src="/pictures/card_2?market=simulated-0')
    asked = Event()  # the script has asked, and got the placeholder

    def answered(found: Response) -> None:
        if found.request.resource_type == "fetch":
            asked.set()

    def late(handler: BaseHTTPRequestHandler) -> None:
        asked.wait(20)
        content(PNG)(handler)

    def in_market(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace(*named))

    with gateway_at(shop.url, tmp_path, pictures=True, picture_hosts=(server.host,)) as gateway:
        gateway.app.assembly.pictures._client = client_of(server)
        tab = opened(browser, gateway)
        tab.route("**/cards/card_2", in_market)
        tab.on("response", answered)
        server.replies["/2.png"] = late
        with tab.expect_response(lambda response: "again" in response.url) as shown:
            tab.goto("/cards/card_2")
        assert shown.value.headers["content-type"] == "image/png"
        tab.context.close()
    del server.replies["/2.png"]


def test_pictures_are_off_unless_asked_for(shop: Shop, tmp_path: Path) -> None:
    with gateway_at(shop.url, tmp_path) as gateway:
        response = gateway.get("/cards/card_1", key="", headers=BROWSER)
        page(response)
        assert "<img" not in response.text
        assert picture_of(gateway, "card_1").status_code == 404


def test_pictures_need_a_session_where_pages_do(shop: Shop, tmp_path: Path) -> None:
    shop.pictures.asked.clear()
    with gateway_at(shop.url, tmp_path, pages="key", pictures=True) as gateway:
        assert picture_of(gateway, "card_1").status_code == 401
        assert shop.pictures.asked == []
