"""The page of watches and the form on a card's page, without JavaScript."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from time import time

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from pokewatch.contract import MAX_WEBHOOK_LENGTH
from pokewatch.watches.outbox import NewDelivery
from pokewatch.watches.store import SAME_SECONDS, Verdict
from tests.gateway.conftest import Gateway
from tests.gateway.web.browsing import browser, opened, serious_faults
from tests.gateway.web.pages import BROWSER, page, words
from tests.serving.server import Server

pytestmark = pytest.mark.integration

__all__ = ["browser"]  # the fixture


CARD = "Pokémon 4 Set 0 · 004/100 · Normal"


@pytest.fixture
def keyed(mlserver: Server, make_gateway: Callable[..., Gateway]) -> Gateway:
    return make_gateway(mlserver.url, pages="key")


@contextmanager
def session(gateway: Gateway) -> Iterator[httpx.Client]:
    """Yield a browser that has signed in."""
    headers = BROWSER | {"origin": gateway.url}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=30, verify=False) as browser:
        browser.post("/sign-in", data={"key": gateway.key.key})
        yield browser


def add(browser: httpx.Client, **fields: str) -> httpx.Response:
    given = {"card_id": "card_4", "type": "below", "amount": "4.50", "webhook": ""}
    return browser.post("/watches/form", data=given | fields, follow_redirects=True)


def test_a_form_adds_a_watch_and_another_removes_it(keyed: Gateway) -> None:
    with session(keyed) as browser:
        card = page(browser.get("/cards/card_4"))
        assert "Tell me" in words(card)
        assert "/watches" in card.links
        assert f"Watching {CARD} : at or below 4.50 USD." in words(page(add(browser)))
        (watch,) = keyed.get("/watches").json()["watches"]
        shown = words(page(browser.get("/watches")))
        assert f"{CARD} at or below 4.50 USD armed" in shown
        removed = browser.post(f"/watches/{watch['id']}/remove", data={"x": "y"})
        assert (removed.status_code, removed.headers["location"]) == (303, "/watches")
        assert "There are none." in words(page(browser.get("/watches")))


def test_every_page_leads_to_the_watches_where_visitors_have_keys(
    keyed: Gateway, gateway: Gateway
) -> None:
    with session(keyed) as browser:
        for path in ("/", "/sets", "/collection", "/watches"):
            assert "/watches" in page(browser.get(path)).links
    assert "/watches" not in page(gateway.get("/sets", key="", headers=BROWSER)).links


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"type": "above", "amount": "$6,50"}, "at or above 6.50 USD"),
        ({"type": "above", "amount": "1.234,50 USD"}, "at or above 1,234.50 USD"),
        ({"type": "moves", "amount": "10"}, "moves 10% in 7 days"),
        ({"type": "moves", "amount": "12,5 %"}, "moves 12.5% in 7 days"),
        ({"type": "BUY", "amount": ""}, "signal BUY"),
    ],
    ids=["above", "grouped", "moves", "percent", "signal"],
)
def test_every_condition_of_the_form(keyed: Gateway, fields: dict[str, str], text: str) -> None:
    with session(keyed) as browser:
        assert text in words(page(add(browser, **fields)))


def test_the_secret_of_a_webhook_is_shown_once(keyed: Gateway) -> None:
    with session(keyed) as browser:
        made = add(browser, webhook="https://example.com/hook")
        assert "whsec_" in made.text
        assert made.headers["cache-control"] == "no-store"
        again = add(browser, webhook="https://example.com/hook")
        assert "whsec_" in again.text, "browsers show the answer to the second of two clicks"
        keyed.app.assembly._watches._store._clock = lambda: time() + SAME_SECONDS + 1
        later = add(browser, webhook="https://example.com/hook")
        assert "whsec_" not in later.text
        assert len(keyed.get("/watches").json()["watches"]) == 1, "sent thrice, created once"


def test_a_form_that_is_sent_twice_at_once_adds_one_watch(keyed: Gateway) -> None:
    barrier = Barrier(6)

    def click(visitor: httpx.Client) -> int:
        barrier.wait()
        return add(visitor).status_code

    with session(keyed) as visitor, ThreadPoolExecutor(6) as threads:
        assert set(threads.map(click, [visitor] * 6)) == {200}
    assert len(keyed.get("/watches").json()["watches"]) == 1


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"amount": ""}, 422, "The amount: enter a price"),
        ({"amount": "much"}, 422, "'much' is not a price"),
        ({"amount": "1.234"}, 422, "'1.234' may be 1.234 or 1234"),
        ({"amount": "€3.50"}, 409, "The currency: got EUR, the prices are in USD"),
        ({"amount": "10%"}, 422, "'10%' is not a price"),
        ({"type": "moves", "amount": "$10"}, 422, "'$10' is an amount of money"),
        (
            {"type": "moves", "amount": "0.001"},
            422,
            "'0.001' is not a percentage: use a number of at",
        ),
        ({"type": "sinks"}, 422, "The type: must be 'above', 'below', 'moves' or 'signal'"),
        ({"card_id": "no_such_card"}, 404, "no card has the id or slug"),
        ({"card_id": "<script>"}, 422, "must be the id or slug of a card"),
        ({"webhook": "https://127.0.0.1/"}, 409, "The webhook: 127.0.0.1 is not at a public"),
    ],
    ids=str,
)
def test_what_cannot_be_watched_is_explained(
    keyed: Gateway, fields: dict[str, str], status: int, text: str
) -> None:
    with session(keyed) as browser:
        assert text.lower() in words(page(add(browser, **fields), status)).lower()
        assert keyed.get("/watches").json()["watches"] == []


def test_the_longest_webhook_fits_in_the_form(keyed: Gateway) -> None:
    hook = "https://example.com/".ljust(MAX_WEBHOOK_LENGTH, "=")  # each is sent as %3D
    with session(keyed) as browser:
        assert "whsec_" in add(browser, webhook=hook).text
        too_long = words(page(add(browser, webhook=f"{hook}="), 422))
        assert "The webhook: must have at most 2000 characters, not 2001" in too_long


def test_what_was_entered_is_still_there_after_a_mistake(keyed: Gateway) -> None:
    hook = 'https://example.com/hook?a="b"&c'
    with session(keyed) as browser:
        refused = add(browser, type="above", amount="much", webhook=hook)
        assert "/cards/card_4" in page(refused, 422).links
        for field in (
            '<input type="hidden" name="card_id" value="card_4">',
            '<option value="above" selected>',
            'value="much"',
            'value="https://example.com/hook?a=&#34;b&#34;&amp;c"',
        ):
            assert field in refused.text
        assert (
            "<form" not in browser.get("/watches").text.partition("<main")[2].partition("</main")[0]
        )


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_forms_of_another_site_are_refused(keyed: Gateway, origin: str) -> None:
    with session(keyed) as browser:
        add(browser)
        (watch,) = keyed.get("/watches").json()["watches"]
        browser.headers["origin"] = origin
        for response in (add(browser), browser.post(f"/watches/{watch['id']}/remove")):
            assert "not sent from a page of this host" in words(page(response, 403))
        assert len(keyed.get("/watches").json()["watches"]) == 1


def test_a_watch_that_was_removed_in_another_tab_is_reported_beside_the_others(
    keyed: Gateway,
) -> None:
    with session(keyed) as browser:
        add(browser)
        (watch,) = keyed.get("/watches").json()["watches"]
        add(browser, amount="7.25")
        browser.post(f"/watches/{watch['id']}/remove", data={"x": "y"})
        again = page(browser.post(f"/watches/{watch['id']}/remove", data={"x": "y"}), 404)
        assert "No watch has the id" in words(again)
        assert "7.25 USD" in words(again)


def test_a_watch_of_another_key_cannot_be_removed(keyed: Gateway) -> None:
    key = keyed.store.create("other", rate="none").key
    keyed.app.assembly.key_cache.refresh()
    request = {"card_id": "card_4", "condition": {"type": "signal", "signal": "BUY"}}
    other = keyed.post("/watches", request, key=key).json()["id"]
    with session(keyed) as browser:
        assert "No watch has the id" in words(
            page(browser.post(f"/watches/{other}/remove", data={"x": "y"}), 404)
        )
    assert len(keyed.get("/watches", key=key).json()["watches"]) == 1


def test_failed_notifications_are_shown(keyed: Gateway) -> None:
    with session(keyed) as browser:
        add(browser, webhook="https://example.com/hook")
        endpoints = keyed.app.assembly._watches
        (watch,) = endpoints._store.list()
        delivery = NewDelivery(f"{watch.id}-1", watch.webhook, "example.com", "<b>Card</b>", "{}")
        endpoints._store.judge(
            watch.market,
            "2026-01-05 x",
            "",
            lambda _: [Verdict(True, None, "2026-01-05", (delivery,))],
        )
        claim = endpoints._outbox.claim(60)
        endpoints._outbox.refused(claim.delivery, "answered 410", final=True)
        shown = words(page(browser.get("/watches")))
        assert "Not delivered" in shown
        assert "<b>Card</b> 1 Answered 410" in shown
        assert "fired" in shown


def test_without_a_session_the_visitor_signs_in_first(keyed: Gateway) -> None:
    for method, path in (("GET", "/watches"), ("POST", "/watches/form")):
        response = keyed.ask(method, path, key="", headers=BROWSER | {"origin": keyed.url})
        assert response.status_code == 303
        assert response.headers["location"].startswith("/sign-in")


def test_a_form_after_the_session_has_ended_leads_to_a_page(keyed: Gateway) -> None:
    """Not to the address of the form, which has none, and not as if the form had been processed."""
    forms = {
        "/watches/form": "/watches",
        "/watches/w_0123456789abcdef/remove": "/watches",
        "/collection?market=x": "/collection%3Fmarket%3Dx",
    }
    for path, wanted in forms.items():
        sent = keyed.ask("POST", path, key="", headers=BROWSER | {"origin": keyed.url})
        target = sent.headers["location"]
        assert target == f"/sign-in?next={wanted.replace('/', '%2F')}&unsent=1"
        shown = page(keyed.get(target, key="", headers=BROWSER))
        assert "what you sent was not processed" in words(shown)


def test_the_address_of_a_form_leads_to_the_page(keyed: Gateway) -> None:
    with session(keyed) as browser:
        for path in ("/watches/form", "/watches/w_0123456789abcdef/remove"):
            opened_again = browser.get(path)
            assert opened_again.status_code == 303
            assert opened_again.headers["location"] == "/watches"


def test_open_pages_name_the_command_instead(gateway: Gateway) -> None:
    shown = words(page(gateway.get("/cards/card_4", key="", headers=BROWSER)))
    assert "pokewatch watch add card_4 --below 5.04" in shown
    response = gateway.get("/watches", key="", headers=BROWSER)
    assert "watches belong to API keys" in words(page(response, 403)).replace("Watches", "watches")
    form = gateway.ask(
        "POST", "/watches/form", key="", headers=BROWSER | {"origin": gateway.url}, data={"x": "y"}
    )
    assert form.status_code == 403


def test_a_mistake_is_corrected_where_it_is_explained(browser: Browser, keyed: Gateway) -> None:
    page = opened(browser, keyed, viewport={"width": 320, "height": 700}, bypass_csp=True)
    page.goto("/cards/card_4")
    page.get_by_label("API key").fill(keyed.key.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("When the market price").select_option("above")
    page.get_by_label("Amount").fill("1.234")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("may be 1.234 or 1234")
    expect(page.get_by_label("When the market price")).to_have_value("above")
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.get_by_label("Amount").fill("1,234.00")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("at or above 1,234.00 USD")
    page.context.close()


def test_the_way_back_leads_to_the_watch_that_was_added(browser: Browser, keyed: Gateway) -> None:
    """Browsers ask whether to send a form again before they show its answer again."""
    page = opened(browser, keyed)
    page.goto("/cards/card_4")
    page.get_by_label("API key").fill(keyed.key.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Amount").fill("4.50")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("at or below 4.50 USD")
    page.get_by_role("status").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pokémon 4")
    page.go_back()
    expect(page.get_by_role("status")).to_contain_text("at or below 4.50 USD")
    page.context.close()


@pytest.mark.parametrize("width", [390, pytest.param(1300, marks=pytest.mark.slow)])
def test_a_visitor_without_scripts_adds_and_removes_a_watch(
    browser: Browser, keyed: Gateway, width: int
) -> None:
    screen = {"width": width, "height": 900}
    page = opened(browser, keyed, java_script_enabled=False, viewport=screen)
    page.goto("/cards/card_4")
    page.get_by_label("API key").fill(keyed.key.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("When the market price").select_option("above")
    page.get_by_label("Amount").fill("6,50")
    page.get_by_label("Webhook").fill(f"https://example.com/{'long' * 40}")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("at or above 6.50 USD")
    expect(page.get_by_role("status")).to_contain_text("whsec_")
    page.goto("/watches")
    page.get_by_role("button", name="Remove the watch on card 4").click()
    expect(page.get_by_text("There are none.")).to_be_visible()
    page.context.close()


@pytest.mark.parametrize(
    ("scheme", "width"), [pytest.param("light", 390, marks=pytest.mark.slow), ("dark", 1300)]
)
def test_the_page_is_accessible_and_fits_the_screen(
    browser: Browser, keyed: Gateway, scheme: str, width: int
) -> None:
    request = {"card_id": "card_4", "condition": {"type": "below", "price": 4.5}}
    assert keyed.post("/watches", request | {"webhook": f"https://example.com/{'long' * 40}"})
    screen = {"width": width, "height": 900}
    page = opened(browser, keyed, color_scheme=scheme, viewport=screen, bypass_csp=True)
    page.goto("/watches")
    page.get_by_label("API key").fill(keyed.key.key)
    page.get_by_role("button", name="Sign in").click()
    for path in ("/watches", "/cards/card_4"):
        page.goto(path)
        found = Axe().run(page).response["violations"]
        serious = [each["id"] for each in found if each["impact"] in {"serious", "critical"}]
        assert serious == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.context.close()
