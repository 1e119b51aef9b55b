"""What visitors type and the addresses that they open, and what pages say of mistakes."""

import re
from html import escape, unescape

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.web.hostile_book import hostile
from tests.gateway.web.pages import BROWSER, page, words

__all__ = ["hostile"]


@pytest.mark.parametrize("price", ["x", "-1", "0", "1e9", "nan", "1_0", "1,2,3"])
def test_a_price_that_is_none_is_named(hostile: Gateway, price: str) -> None:
    response = hostile.get("/cards/card_2", key="", headers=BROWSER, params={"price": price})
    assert repr(price) in words(page(response, 422))


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("1.234,56", "$1,234.56"),
        ("1'234.50", "$1,234.50"),
        ("USD 3,50", "$3.50"),
        ("3.50 USD", "$3.50"),
        ("\u0661", "$1.00"),
    ],
)
def test_a_price_is_read_as_people_write_it(hostile: Gateway, price: str, shown: str) -> None:
    response = hostile.get("/cards/card_2", key="", headers=BROWSER, params={"price": price})
    assert f"at {shown}:" in words(page(response))


@pytest.mark.parametrize("path", ["/cards/card_2?price=", "/movers?min_price="])
@pytest.mark.parametrize(
    ("price", "why"),
    [
        ("12,345", "'12,345' may be 12.345 or 12345: write 12345, or 12.3450"),
        ("1.234", "'1.234' may be 1.234 or 1234: write 1234, or 1.2340"),
        ("€3.50", "'€3.50' is in EUR, the prices are in USD"),
    ],
)
def test_a_price_that_may_be_another_is_refused(
    hostile: Gateway, path: str, price: str, why: str
) -> None:
    assert why in words(page(hostile.get(path + price, key="", headers=BROWSER), 422))


@pytest.mark.parametrize(
    ("price", "status"),
    [("0.0009", 422), ("0.001", 200), ("10000000", 200), ("10000001", 422)],
)
def test_a_page_judges_the_prices_that_the_api_judges(
    hostile: Gateway, price: str, status: int
) -> None:
    asked = {"card_id": "card_2", "market_price": float(price)}
    assert hostile.post("/fair_price", json=asked).status_code == status
    page(hostile.get(f"/cards/card_2?price={price}", key="", headers=BROWSER), status)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/cards/charizrd", 404, "Unknown card"),
        ("/cards/card_1x", 404, "Pokémon 1 t"),
        ("/sets/nothing", 404, "Unknown set"),
        ("/cards?cursor=x", 404, "Unknown page"),
        ("/cards?q=pok&cursor=x", 404, "The page: does not belong to this search."),
        ("/cards?q=pok&cursor=x", 404, "Show the page without it"),
        ("/movers?days=2", 422, "Invalid request"),
        ("/cards/card_1?range=2y", 422, "Invalid request"),
    ],
)
def test_problems_are_pages(hostile: Gateway, path: str, status: int, text: str) -> None:
    assert text in words(page(hostile.get(path, key="", headers=BROWSER), status))


FAULTS = [
    (
        "/cards/card_4?range=1y&price=a%26b&condition=LP",
        "The asked price: 'a&b' is not a price such as 3.50.",
        "/cards/card_4?range=1y&condition=LP",
    ),
    ("/movers?min_price=cheap&days=1", "The minimum price: 'cheap' is not", "/movers?days=1"),
    ("/movers?days=3", "Days: must be 1, 7 or 30, not 3.", "/movers"),
    (f"/cards?q={'x' * 300}", "The search: must have at most 200 characters", "/cards"),
]


@pytest.mark.parametrize(("path", "said", "back"), FAULTS, ids=[path[:30] for path, *_ in FAULTS])
def test_a_mistake_in_a_form_leads_back_to_its_page(
    hostile: Gateway, path: str, said: str, back: str
) -> None:
    refused = hostile.get(path, key="", headers=BROWSER)
    found = page(refused, 422)
    assert said in words(found)
    assert f'<a href="{escape(back)}">Show the page without it</a>' in refused.text
    page(hostile.get(back, key="", headers=BROWSER))


@pytest.mark.parametrize("path", ["/nothing", "/cards/", "/cards//history", "/%F0%9F%98%80"])
def test_a_path_that_leads_nowhere_is_a_page_for_browsers_alone(
    hostile: Gateway, path: str
) -> None:
    text = words(page(hostile.get(path, key="", headers=BROWSER), 404))
    assert "There is no such page" in text
    program = hostile.get(path, key="")
    assert (program.status_code, program.json()["type"]) == (404, "/docs#not-found")
    other = hostile.ask("POST", "/cards", key="", headers=BROWSER)
    assert (other.status_code, other.headers["allow"]) == (405, "GET, HEAD")


def test_another_range_of_the_chart_keeps_the_price_that_is_judged(hostile: Gateway) -> None:
    asked = "/cards/card_2?price=%242%2C50&condition=LP&fees=ebay"
    response = hostile.get(asked, key="", headers=BROWSER)
    links = re.findall(r'href="(/cards/card_2[?]range=[^"]*)"', response.text)
    assert len(links) == 4
    for link in links:
        text = words(page(hostile.get(unescape(link), key="", headers=BROWSER)))
        assert "at $2.50 for a lightly played copy" in text, link
