"""Markets at the edges, and gateways without a model server, in a real browser."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.web.browsing import browser, opened, serious_faults  # noqa: F401
from tests.gateway.web.hostile_book import hostile  # noqa: F401
from tests.polling import eventually
from tests.serving.books import FACTS, make_book
from tests.serving.server import serving_book

pytestmark = pytest.mark.integration

BOOKS: dict[str, dict[str, Any]] = {
    "euro": {"facts": replace(FACTS, currency="EUR"), "scale": 1.4},
    "one card": {"count": 1},
    "one day": {"days": 1},
}
PAGES = (
    "/",
    "/cards",
    "/cards/card_0?price=1&range=all",
    "/movers?days=1&min_price=0",
    "/sets",
    "/sets/set0",
    "/collection",
    "/status",
)


def check(page: Page, path: str, status: int = 200) -> str:
    """Open a page, check it for serious faults, and return its text."""
    response = page.goto(path)
    assert response is not None
    assert response.status == status, path
    assert serious_faults(page) == [], path
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    return page.locator("body").inner_text()


def narrow(browser: Browser, gateway: Gateway) -> Page:  # noqa: F811
    # axe is injected as an inline script, which the pages' own policy forbids.
    return opened(browser, gateway, viewport={"width": 390, "height": 900}, bypass_csp=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOKS)
def test_every_page_of_a_market_at_the_edge(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    name: str,
) -> None:
    with (
        serving_book(tmp_path, make_book(tmp_path / "book", **BOOKS[name])) as server,
        gateway_at(server.url, tmp_path) as gateway,
    ):
        page = narrow(browser, gateway)
        texts = {path: check(page, path) for path in PAGES}
        wrong, right = ("$", "€") if name == "euro" else ("€", "$")
        assert not [path for path, text in texts.items() if wrong in text]
        assert f"{right}1.00" in texts["/cards/card_0?price=1&range=all"]
        if name == "one day":
            assert "There are no prices of 1 day before" in texts[PAGES[3]]
        page.context.close()


def test_a_name_without_a_space_does_not_widen_a_page(
    browser: Browser,  # noqa: F811
    hostile: Gateway,  # noqa: F811
) -> None:
    page = narrow(browser, hostile)
    for path in ("/cards/card_0", "/cards/card_6", "/cards?q=x", "/sets", f"/cards/{'y' * 190}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.context.close()


@pytest.mark.slow
def test_a_gateway_of_an_empty_home(
    browser: Browser,  # noqa: F811
    make_gateway: Callable[..., Gateway],
) -> None:
    gateway = make_gateway("http://127.0.0.1:9", connect_seconds=0.2)
    page = narrow(browser, gateway)
    for path in ("/", "/cards", "/cards/card_1", "/movers", "/sets", "/sets/set0"):
        assert "Model server unavailable" in check(page, path, 503)
        assert "No price book is being served." in page.locator("footer").inner_text()
    assert "The model server cannot be used" in check(page, "/status")
    assert "What is my collection worth?" in check(page, "/collection")
    page.context.close()


@pytest.mark.slow
def test_a_model_server_that_goes_away_and_comes_back(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    with (
        serving_book(tmp_path, make_book(tmp_path / "book")) as server,
        gateway_at(server.url, tmp_path) as gateway,
    ):
        page = narrow(browser, gateway)
        seen = ("/", "/cards/card_4", "/movers", "/sets")
        for path in seen:
            assert "is not answering" not in check(page, path)
        poller = gateway.app.assembly.markets.first.poller
        server.process.kill()
        server.process.wait(20)
        eventually(lambda: poller.problem, lambda problem: problem is not None)
        for path in seen:
            assert "What you see are the last known prices." in check(page, path)
        assert "Model server" in check(page, "/cards/card_5", 503)
        page.goto("/cards/card_4")
        page.get_by_label("Asked price").fill("2")
        page.get_by_role("button", name="Judge it").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Model server")
        page.context.close()
