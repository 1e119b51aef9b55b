"""The pages in a real browser: visits, forms, the size of the screen, accessibility."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, expect

from tests.gateway.conftest import Gateway
from tests.gateway.web.browsing import browser, opened, serious_faults
from tests.serving.server import Server

pytestmark = pytest.mark.integration

__all__ = ["browser"]

PAGES = (
    "/",
    "/cards?q=pok%C3%A9mon",
    "/cards?q=nothing",
    "/cards/card_4?price=3.50",
    "/cards/card_1",
    "/cards/nobody",
    "/movers?days=1&min_price=0",
    "/sets",
    "/sets/set1",
    "/track-record",
    "/status",
    "/docs",
)


@pytest.mark.parametrize(
    ("width", "scripts"), [(390, True), (1300, False)], ids=["390-scripts", "1300-no scripts"]
)
def test_from_a_misspelt_name_to_the_track_record(
    browser: Browser, gateway: Gateway, scripts: bool, width: int
) -> None:
    page = opened(
        browser, gateway, java_script_enabled=scripts, viewport={"width": width, "height": 900}
    )
    page.goto("/")
    page.get_by_role("searchbox" if not scripts else "combobox").fill("pokmon 12")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Pokémon 12").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pokémon 12")
    page.get_by_label("Asked price").fill("$8,00")
    page.get_by_role("button", name="Judge it").click()
    expect(page.get_by_text("BUY at $8.00")).to_be_visible()
    page.get_by_role("link", name="Set 1", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set 1")
    page.get_by_role("link", name="Movers").click()
    page.get_by_label("Over").select_option("1")
    page.get_by_label("Minimum price").fill("0")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("cell", name="▲").first).to_be_visible()
    page.get_by_role("link", name="Track record").click()
    expect(page.get_by_text("There is no track record yet.")).to_be_visible()
    page.get_by_role("link", name="Status").click()
    expect(page.get_by_text("Prices are being served.")).to_be_visible()
    page.context.close()


def test_the_pointer_shows_the_values_of_a_day(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway)
    page.goto("/cards/card_12?range=all")
    page.locator("svg.chart").scroll_into_view_if_needed()
    box = page.locator("svg.chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    expect(page.locator(".readout")).to_contain_text("2026-01-01 · Market $13.00")
    page.context.close()


@pytest.mark.parametrize("width", [320, 650])  # a narrow phone; a window enlarged to 200%
def test_no_page_is_wider_than_the_screen(browser: Browser, gateway: Gateway, width: int) -> None:
    page = opened(browser, gateway, viewport={"width": width, "height": 900})
    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.context.close()


@pytest.mark.parametrize("path", ["/movers", "/cards/card_4"])
def test_the_fields_of_a_form_are_in_line(browser: Browser, gateway: Gateway, path: str) -> None:
    page = opened(browser, gateway, viewport={"width": 1300, "height": 900})
    page.goto(path)
    labels = page.locator(":is(.filters, .judge) label").all()
    places = [each.bounding_box() for each in labels]
    assert len(places) > 2
    assert len({(place["y"], place["height"]) for place in places if place}) == 1
    page.context.close()


def test_a_valued_collection_is_still_there_after_a_look_at_a_card(
    browser: Browser, gateway: Gateway
) -> None:
    page = opened(browser, gateway)
    page.goto("/collection")
    page.get_by_label("or its lines").fill("card_id,quantity\ncard_4,3\ncard_5,2")
    page.get_by_role("button", name="Value it").click()
    expect(page.get_by_text("Copies valued")).to_be_visible()
    page.get_by_role("link", name="Pokémon 4").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pokémon 4")
    page.go_back()
    expect(page.get_by_text("Copies valued")).to_be_visible()
    page.context.close()


@pytest.mark.parametrize(
    ("path", "button"), [("/collection", "Value it"), ("/watches", "Remove the watch on card 4")]
)
def test_a_double_click_sends_a_form_once(
    browser: Browser,
    mlserver: Server,
    make_gateway: Callable[..., Gateway],
    path: str,
    button: str,
) -> None:
    keyed = make_gateway(mlserver.url, pages="key")
    watch = {"card_id": "card_4", "condition": {"type": "below", "price": 1.0}}
    assert keyed.post("/watches", watch).status_code == 200
    page = opened(browser, keyed, extra_http_headers={"X-API-Key": keyed.key.key})
    page.goto(path)
    # Nothing leaves the page, whatever the time between the clicks.
    page.evaluate(
        "window.sent = 0; document.addEventListener('submit', (event) => {"
        " window.sent += !event.defaultPrevented; event.preventDefault(); })"
    )
    page.get_by_role("button", name=button).dblclick()
    assert page.evaluate("window.sent") == 1
    page.context.close()


@pytest.mark.parametrize("place", ["h1", "#text", "#file"])
def test_a_file_is_dropped_anywhere_on_the_page(
    browser: Browser, gateway: Gateway, tmp_path: Path, place: str
) -> None:
    page = opened(browser, gateway)
    page.goto("/collection")
    file = tmp_path / "cards.csv"
    file.write_text("name,set,number\nPokémon 4,Set 0,4/100\n")
    box = page.locator(place).bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    dragged = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "data": dragged, **at})
    expect(page.locator("#file")).to_have_value(re.compile(r"cards\.csv$"))
    page.get_by_role("button", name="Value it").click()
    expect(page.get_by_text("1 line matched")).to_be_visible()
    page.context.close()


def test_the_advice_of_a_collection_is_seen_on_a_small_screen(
    browser: Browser, gateway: Gateway
) -> None:
    page = opened(browser, gateway, viewport={"width": 320, "height": 640})
    page.goto("/collection")
    page.get_by_label("or its lines").fill("card_id,quantity\ncard_4,100\ncard_5,25")
    page.get_by_role("button", name="Value it").click()
    box = page.get_by_role("cell", name="keep").first.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 320
    page.context.close()


def test_the_size_of_a_change_is_seen_on_a_small_screen(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway, viewport={"width": 320, "height": 640})
    page.goto("/movers?days=1&min_price=0")
    row = page.get_by_role("row").filter(has_text="▲").first
    row.locator("td .num").evaluate_all(
        "([before, now, change]) => { before.textContent = now.textContent = '$1,226.37'; }"
    )
    box = row.get_by_role("cell", name="▲").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 320
    page.context.close()


def test_after_signing_out_the_way_back_does_not_lead_to_a_collection(
    browser: Browser, mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    """On a machine that is shared: the browser may keep the page, but only for the session."""
    keyed = make_gateway(mlserver.url, pages="key")
    page = opened(browser, keyed)
    page.goto("/collection")
    page.get_by_label("API key").fill(keyed.key.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("or its lines").fill("card_id,quantity\ncard_4,3")
    page.get_by_role("button", name="Value it").click()
    expect(page.get_by_text("Copies valued")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
    page.context.close()


def test_a_link_on_another_site_leads_into_the_session(
    browser: Browser, mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    """Such as one in a chat or in mail that is read in the browser."""
    keyed = make_gateway(mlserver.url, pages="key")
    page = opened(browser, keyed)
    page.goto("/sign-in")
    page.get_by_label("API key").fill(keyed.key.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto(f"{keyed.url.replace('127.0.0.1', 'localhost')}/sign-in")
    page.evaluate("url => location.assign(url)", f"{keyed.url}/sets")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sets")
    page.context.close()


@pytest.mark.parametrize("width", [320, 360, 430])
def test_amounts_in_millions_do_not_widen_the_page(
    browser: Browser, gateway: Gateway, width: int
) -> None:
    page = opened(browser, gateway, viewport={"width": width, "height": 900})
    page.goto("/collection")
    page.get_by_label("or its lines").fill("card_id,quantity\ncard_4,1000000\ncard_5,999999")
    page.get_by_role("button", name="Value it").click()
    expect(page.get_by_text("$5,040,000.00")).to_be_visible()
    page.locator(".figures .num").first.evaluate(
        "each => { each.textContent = '$10,040,000.00 to $11,040,000.00'; }"  # an interval
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [pytest.param("light", 1300, marks=pytest.mark.slow), ("dark", 390)],
)
def test_pages_are_accessible_and_fit_the_screen(
    browser: Browser, gateway: Gateway, scheme: Any, width: int
) -> None:
    # axe is injected as an inline script, which the pages' own policy forbids.
    page = opened(
        browser,
        gateway,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        bypass_csp=True,
    )
    for path in PAGES:
        page.goto(path)
        page.evaluate(
            "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        assert serious_faults(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.context.close()


def test_nothing_is_requested_from_elsewhere(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway)
    requested: list[str] = []
    blocked: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: blocked.append(message.text))
    for path in PAGES:
        page.goto(path)
    assert {url for url in requested if not url.startswith(gateway.url)} == set()
    assert [text for text in blocked if "Content Security Policy" in text] == []
    page.context.close()
