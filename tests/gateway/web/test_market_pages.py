"""The pages of a gateway with two markets."""

import re
from pathlib import Path

import pytest

from pokewatch.gateway import web
from pokewatch.gateway.api.queries import MAX_FIELDS
from tests.gateway.api.markets.conftest import both, two_markets
from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.market_servers import wait_for_markets
from tests.gateway.web.pages import BROWSER, page, words
from tests.gateway.web.test_watch_page import add, session
from tests.serving.server import Server

__all__ = ["both", "two_markets"]

PATHS = ["/", "/cards", "/cards/card_4", "/movers", "/sets", "/sets/set0", "/track-record"]
TEMPLATES = Path(web.__file__).parent / "templates"
LINK = re.compile(r'href="(/(?!static|docs|watches|sign)[^"]*)"')


@pytest.mark.parametrize("path", [*PATHS, "/status", "/collection"])
def test_pages_of_the_second_market_stay_in_it(both: Gateway, path: str) -> None:
    response = both.get(f"{path}?market=file-europe", key="", headers=BROWSER)
    page(response)
    assert "| file-europe</title>" in response.text
    assert 'value="file-europe"' in response.text or path == "/"
    for link in LINK.findall(response.text):
        assert "market=file-europe" in link or "market=simulated-1" in link, link
    for form in re.findall(r"<form(?! class=.market)(.*?)</form>", response.text, re.DOTALL):
        assert "file-europe" in form, form
    assert "€" in response.text or path in ("/sets/set0", "/track-record", "/status", "/collection")


def test_a_search_goes_on_in_another_market(both: Gateway) -> None:
    shown = both.get("/cards?q=%22a%22+b&set=set0&market=file-europe", key="", headers=BROWSER)
    (form,) = re.findall(r'<form class="market-switch.*?</form>', shown.text, re.DOTALL)
    assert 'action="/cards"' in form
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
    assert fields == {"q": "&#34;a&#34; b", "set": "set0"}
    for path in ("/cards?q=&market=file-europe", "/cards?cursor=x&market=file-europe", "/movers"):
        assert 'type="hidden" name="q"' not in both.get(path, key="", headers=BROWSER).text


def test_the_filters_of_movers_stay_in_another_market(both: Gateway) -> None:
    given = {"days": "1", "set": "set0", "rarity": "Rare", "min_price": "2.50", "sort": "price"}
    shown = both.get("/movers", params=given | {"page": "1"}, key="", headers=BROWSER)
    (form,) = re.findall(r'<form class="market-switch.*?</form>', shown.text, re.DOTALL)
    assert 'action="/movers"' in form
    assert dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)) == given


def test_the_status_says_which_market_its_facts_are_of(both: Gateway) -> None:
    for path, market in (("/status", "simulated-1"), ("/status?market=file-europe", "file-europe")):
        assert f"The market {market} Source" in words(page(both.get(path, key="", headers=BROWSER)))


def test_the_command_of_a_card_names_its_market(both: Gateway) -> None:
    shown = words(page(both.get("/cards/card_4?market=file-europe", key="", headers=BROWSER)))
    assert re.search(r"pokewatch watch add card_4 --below [\d.]+ --market file-europe ?,", shown)
    for path in ("/cards/card_4", "/cards/card_4/history"):
        assert f"GET {path}?market=file-europe" in shown


@pytest.mark.parametrize("path", ["/cards/card_99?", "/movers?days=2&", "/cards?cursor=x&"])
def test_problems_of_the_second_market_stay_in_it(both: Gateway, path: str) -> None:
    response = both.get(f"{path}market=file-europe", key="", headers=BROWSER)
    shown = words(page(response, response.status_code))
    assert response.status_code in (404, 422)
    assert "| file-europe</title>" in response.text
    links = LINK.findall(response.text)
    assert "/?market=file-europe" in links
    cards = [link for link in links if link.startswith("/cards/")]
    assert bool(cards) == ("card_99" in path)
    assert ("Pokémon 9 Set 0 · 009/100 · Normal" in shown) == ("card_99" in path)
    assert all(link.endswith("?market=file-europe") for link in cards)


def test_links_of_templates_stay_in_their_market() -> None:
    """Those too that these markets do not show, such as those of a track record."""
    found = {
        (path.name, link)
        for path in TEMPLATES.glob("*.html")
        for link in LINK.findall(path.read_text())
        if not re.search(r"{{ (here|also|in_market\(\w+\)) }}|market={{", link)
    }
    assert found == set()


@pytest.mark.parametrize("path", ["/nothing", "/cards"])
def test_a_query_of_more_parameters_than_a_page_has_is_not_read(both: Gateway, path: str) -> None:
    query = "market=file-europe" + "&a=1" * MAX_FIELDS
    response = both.get(f"{path}?{query}", key="", headers=BROWSER)
    page(response, response.status_code)
    assert response.status_code in (404, 422)
    assert "| simulated-1</title>" in response.text


def test_a_collection_is_sent_again_to_the_same_market_after_a_mistake(both: Gateway) -> None:
    response = both.ask(
        "POST",
        "/collection?market=file-europe",
        key="",
        headers=BROWSER | {"origin": both.url},
        files={"file": ("", b"")},
        data={"text": ""},
    )
    page(response, 422)
    assert 'action="/collection?market=file-europe"' in response.text


@pytest.mark.parametrize("path", PATHS)
def test_pages_of_the_first_market_need_no_name(both: Gateway, path: str) -> None:
    response = both.get(path, key="", headers=BROWSER)
    page(response)
    assert "| simulated-1</title>" in response.text
    assert "market=simulated-1" not in response.text
    assert "€" not in response.text.replace("market=file-europe", "") or path == "/cards/card_4"


def test_a_card_of_one_market_only_needs_no_name(both: Gateway) -> None:
    assert "€" in words(page(both.get("/cards/card_44", key="", headers=BROWSER)))


def test_a_card_shows_its_price_in_other_markets(both: Gateway) -> None:
    response = both.get("/cards/card_4", key="", headers=BROWSER)
    assert "In other markets" in words(page(response))
    assert 'href="/cards/card_4?market=file-europe"' in response.text
    assert "€5.04" in response.text


def test_the_status_lists_the_markets(both: Gateway) -> None:
    rows = page(both.get("/status", key="", headers=BROWSER)).rows
    assert [row[:3] for row in rows[1:3]] == [
        ["simulated-1", "yes", "40"],
        ["file-europe", "yes", "60"],
    ]


def test_an_unknown_market_is_a_page_too(both: Gateway) -> None:
    found = words(page(both.get("/movers?market=none", key="", headers=BROWSER), 404))
    assert "the markets are simulated-1, file-europe" in found


def test_suggestions_are_of_the_market(both: Gateway) -> None:
    suggestions = both.get("/page-data/suggestions?q=44&market=file-europe", key="").text
    assert '"card_44"' in suggestions
    assert "€" in suggestions


def test_the_same_card_is_watched_in_each_market(two_markets: Server, tmp_path: Path) -> None:
    markets = ("simulated-1", "file-europe")
    urls = ",".join(f"{market}={two_markets.url}" for market in markets)
    folder = tmp_path / "keyed"
    with gateway_at(two_markets.url, folder, market_urls=urls, pages="key") as gateway:
        wait_for_markets(gateway, *markets)
        with session(gateway) as browser:
            for _ in range(2):  # sent twice, created once
                dollars, euros = add(browser), add(browser, market="file-europe")
                assert "at or below 4.50 USD" in words(page(dollars))
                assert "at or below 4.50 EUR" in words(page(euros))
            watches = gateway.get("/watches").json()["watches"]
            assert sorted(each["market"] for each in watches) == sorted(markets)
            links = page(browser.get("/watches")).links
            assert {f"/cards/card_4?market={market}" for market in markets} <= set(links)
