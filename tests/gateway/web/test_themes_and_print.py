"""The pages in a real browser: themes, the colors of the system, and paper."""

import pytest
from playwright.sync_api import Browser, expect

from tests.gateway.conftest import Gateway
from tests.gateway.web.browsing import browser, opened

pytestmark = pytest.mark.integration

__all__ = ["browser"]


def test_colors_of_the_system_leave_a_chart_its_legend(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway, forced_colors="active")
    page.goto("/cards/card_12")
    for name in ("market", "fair", "low", "band", "fan"):
        key, line = (
            page.locator(selector).evaluate(
                "(each, [part, names]) => names.map((name) => getComputedStyle(each, part)[name])",
                [part, names],
            )
            for selector, part, names in (
                (f".key.{name}", "::before", ["borderTopColor"]),
                (f".chart .{name}", None, ["stroke", "fill"]),
            )
        )
        assert key[0] in line, name
    expect(page.get_by_role("button", name="theme")).to_have_count(0)
    page.context.close()


def test_the_line_of_the_market_price_is_printed(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway)
    page.goto("/cards/card_12")
    keys = page.locator(".legend .key")
    assert (
        len(set(keys.evaluate_all("all => all.map(each => getComputedStyle(each).display)"))) == 1
    )
    page.emulate_media(media="print")
    expect(page.locator(".chart .line.market")).to_be_visible()
    expect(keys.first).to_be_visible()
    page.context.close()


def test_the_theme_is_remembered(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway, color_scheme="light")
    page.goto("/sets")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark theme").click()
    page.goto("/movers")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 22, 27)")
    page.context.close()


def test_a_browser_without_storage_has_all_but_the_memory_of_the_theme(
    browser: Browser, gateway: Gateway
) -> None:
    """Where cookies are blocked, reading the storage raises an error."""
    page = opened(browser, gateway, color_scheme="light")
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', "
        "{ get() { throw new DOMException('denied', 'SecurityError'); } });"
    )
    page.goto("/sets")
    page.get_by_role("button", name="Dark theme").click()
    expect(page.get_by_role("button", name="Light theme")).to_be_visible()
    page.get_by_role("combobox").fill("pokmon 12")
    expect(page.get_by_role("option").first).to_contain_text("Pokémon 12")
    page.context.close()


@pytest.mark.parametrize(
    ("query", "printed"), [("", False), ("?price=3.50", True)], ids=["no price", "a price"]
)
def test_a_form_is_printed_with_its_result_alone(
    browser: Browser, gateway: Gateway, query: str, printed: bool
) -> None:
    page = opened(browser, gateway)
    page.goto(f"/cards/card_4{query}")
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="Is this price good?")).to_be_visible(visible=printed)
    expect(page.get_by_role("button", name="Judge it")).not_to_be_visible()
    expect(page.get_by_role("heading", name="Tell me")).not_to_be_visible()
    expect(page.get_by_text("The same as a table")).not_to_be_visible()
    page.context.close()


def test_the_dark_theme_is_not_printed(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway, color_scheme="light")
    page.goto("/cards/card_12")
    page.emulate_media(media="print")
    colors = """['body', '.minor', '.signal', 'td', 'a'].map((each) => {
        const style = getComputedStyle(document.querySelector(each));
        return [style.color, style.backgroundColor];
    })"""
    light = page.evaluate(colors)
    page.emulate_media(media="screen")
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(colors) != light
    page.emulate_media(media="print")
    assert page.evaluate(colors) == light
    expect(page.get_by_role("button", name="Light theme")).not_to_be_visible()
    page.context.close()
