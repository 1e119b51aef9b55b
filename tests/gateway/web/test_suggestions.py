"""The suggestions of the search field, for those who use the keyboard or hear the page."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.gateway.conftest import Gateway
from tests.gateway.web.browsing import browser, opened, serious_faults

pytestmark = pytest.mark.integration

__all__ = ["browser"]  # the fixture


def typed(page: Page, text: str) -> Locator:
    """Type into the search field of the first page; return the field once it has suggestions."""
    page.goto("/")
    field = page.get_by_role("combobox")
    field.focus()
    page.keyboard.insert_text(text)
    expect(page.get_by_role("option").first).to_be_visible()
    return field


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_has_a_name_and_enough_contrast(
    browser: Browser, gateway: Gateway, scheme: str
) -> None:
    page = opened(browser, gateway, color_scheme=scheme, bypass_csp=True)
    typed(page, "pokmon")
    page.keyboard.press("ArrowDown")
    assert serious_faults(page) == []
    page.context.close()


def test_what_is_typed_after_a_choice_undoes_it(browser: Browser, gateway: Gateway) -> None:
    """A screen reader would go on to read the option that had been chosen in the old list."""
    page = opened(browser, gateway)
    field = typed(page, "pokmon 1")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "suggestion-0")
    with page.expect_response(lambda response: "suggestions" in response.url):
        page.keyboard.insert_text("2")
    expect(page.get_by_role("option").first).to_contain_text("Pokémon 12")
    expect(field).not_to_have_attribute("aria-activedescendant", "suggestion-0")
    assert page.get_by_role("option", selected=True).count() == 0
    page.context.close()


def test_the_option_that_is_chosen_is_on_the_screen(browser: Browser, gateway: Gateway) -> None:
    screen = {"width": 320, "height": 340}
    page = opened(browser, gateway, viewport=screen, forced_colors="active")
    typed(page, "pokmon")
    page.keyboard.press("ArrowUp")
    chosen = page.get_by_role("option", selected=True)
    expect(chosen).to_be_in_viewport(ratio=1)
    style = chosen.evaluate("option => getComputedStyle(option).outlineStyle")
    assert style == "solid", "colours of a background are not those of the page here"
    page.context.close()


def test_another_button_of_the_mouse_opens_no_card(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway)
    typed(page, "pokmon 12")
    page.get_by_role("option").first.click(button="right")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.get_by_role("option").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pokémon 12")
    page.context.close()
