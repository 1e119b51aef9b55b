"""The pages in a real browser: what the keyboard does, and the list of suggestions."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.gateway.conftest import Gateway
from tests.gateway.web.browsing import browser, opened
from tests.serving.server import Server

pytestmark = pytest.mark.integration

__all__ = ["browser"]


def test_the_keyboard_is_enough(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway)
    page.goto("/")
    page.get_by_role("combobox").focus()
    page.keyboard.type("pokmon 12")
    # Until all is typed, the options are those of what was typed before.
    expect(page.get_by_role("option").first).to_contain_text("Pokémon 12")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pokémon 12")
    chart = page.get_by_role("img", name="Prices of Pokémon 12")
    chart.focus()
    expect(page.locator(".readout")).to_contain_text("2026-01-05")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".readout")).to_contain_text("2026-01-04 · Market $13.03")
    page.keyboard.press("End")
    expect(page.locator(".readout")).to_contain_text(
        "2026-02-04 forecast · Market \u2013 · Lowest ask"
    )
    page.keyboard.press("Home")
    expect(page.locator(".readout")).to_contain_text("2026-01-01")
    page.context.close()


@pytest.mark.parametrize(
    ("path", "scripts", "stops"),
    [
        ("/", True, 0),
        ("/sets/set1", True, 0),
        ("/cards/card_12", True, 1),
        ("/cards/card_12", False, 0),
    ],
)
def test_the_keyboard_stops_at_charts_that_it_can_read(
    browser: Browser, gateway: Gateway, path: str, scripts: bool, stops: int
) -> None:
    page = opened(browser, gateway, java_script_enabled=scripts)
    page.goto(path)
    expect(page.locator("svg.chart")).to_have_count(1)
    expect(page.locator("svg.chart[tabindex='0']")).to_have_count(stops)
    page.context.close()


def test_the_answer_to_a_trial_is_reached_by_the_keyboard(
    browser: Browser, gateway: Gateway
) -> None:
    page = opened(browser, gateway)
    page.goto("/docs#cards")
    page.get_by_label("API key").fill(gateway.key.key)
    trial = page.locator("#cards")
    trial.locator("summary").press("Enter")
    trial.get_by_role("button", name="Send").press("Enter")
    expect(trial.get_by_role("status")).to_have_text("200 OK")
    page.keyboard.press("Tab")
    expect(trial.locator("pre:focus")).to_contain_text('"cards": [')
    page.context.close()


def test_the_keys_of_an_input_method_choose_no_card(browser: Browser, gateway: Gateway) -> None:
    """Japanese names are written by its candidates, chosen by the same keys as suggestions."""
    page = opened(browser, gateway)
    page.goto("/")
    field = page.get_by_role("combobox")
    field.focus()
    page.keyboard.insert_text("pokmon 12")
    expect(page.get_by_role("option").first).to_contain_text("Pokémon 12")
    field.dispatch_event("keydown", {"key": "ArrowDown", "isComposing": True})
    assert page.get_by_role("option", selected=True).count() == 0
    page.context.close()


def test_escape_closes_the_suggestions_and_leaves_the_text(
    browser: Browser, gateway: Gateway
) -> None:
    page = opened(browser, gateway)
    page.goto("/")
    field = page.get_by_role("combobox")
    field.focus()
    page.keyboard.insert_text("pokmon 12")
    expect(page.get_by_role("option").first).to_contain_text("Pokémon 12")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(field).to_have_value("pokmon 12")
    page.context.close()


def test_suggestions_that_come_late_stay_away(browser: Browser, gateway: Gateway) -> None:
    """A list over a page whose visitor has gone on could not be closed by the keyboard."""
    page = opened(browser, gateway)
    page.goto("/sets")
    page.get_by_role("combobox").focus()
    page.keyboard.insert_text("pokmon 12")
    with page.expect_response(lambda response: "suggestions" in response.url) as late:
        page.keyboard.press("Tab")
    late.value.finished()
    frame = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    page.evaluate(frame)
    assert page.get_by_role("option").count() == 0
    page.context.close()


def test_suggestions_end_with_the_connection(browser: Browser, gateway: Gateway) -> None:
    page = opened(browser, gateway)
    page.goto("/")
    field = page.get_by_role("combobox")
    field.fill("pok")
    expect(page.get_by_role("option").first).to_be_visible()
    page.context.set_offline(True)
    field.fill("pokmon 12")
    expect(page.get_by_role("option").first).to_be_hidden()
    page.context.close()


def test_a_table_wider_than_the_screen_can_be_reached_by_the_keyboard(
    browser: Browser, gateway: Gateway
) -> None:
    page = opened(browser, gateway, viewport={"width": 390, "height": 900})
    page.goto("/cards/card_12")
    table = page.locator("table.forecasts")
    expect(table).not_to_have_attribute("tabindex", "0")
    # Amounts in the thousands fit, since an interval may be on two lines.
    table.locator(".num").evaluate_all(
        "all => all.forEach((each) => { each.textContent = '$11,234.50 to $12,345.60'; })"
    )
    assert table.evaluate("each => each.scrollWidth - each.clientWidth") == 0
    table.locator("td").first.evaluate("each => { each.style.minWidth = '400px'; }")
    expect(table).to_have_attribute("tabindex", "0")
    page.context.close()


def test_a_key_can_be_typed_at_once(
    browser: Browser, mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    keyed = make_gateway(mlserver.url, pages="key")
    page = opened(browser, keyed)
    page.goto("/watches")
    for key in ("pw_wrong", keyed.key.key):  # the field is ready again after a wrong one
        page.keyboard.type(key)
        page.keyboard.press("Enter")
        expect(page.get_by_text("unknown, expired or revoked")).to_be_visible(
            visible=key == "pw_wrong"
        )
    expect(page.get_by_role("heading", level=1)).to_have_text("My watches")
    page.context.close()
