"""The pages of a real gateway, in front of a real MLServer."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from pokewatch.contract import MAX_NAME_LENGTH
from pokewatch.csv_cells import BYTE_ORDER_MARK
from pokewatch.gateway.web.formats import SKILLS, chance, day_text, money, signed_percent
from tests.gateway.conftest import Gateway
from tests.gateway.web.hostile_book import HOSTILE, hostile
from tests.gateway.web.pages import BROWSER, page, words

__all__ = ["hostile"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/cards",
        "/cards?q=pok%C3%A9mon+3",
        "/cards?q=pokmon",
        "/cards?q=%3Cscript%3E",
        "/cards?set=set1",
        "/movers",
        "/movers?days=1&min_price=0",
        "/movers?days=30&set=set1&rarity=Rare",
        "/sets",
        "/sets/set1",
        "/status",
        "/track-record",
        "/collection",
        *(f"/cards/card_{i}" for i in range(12)),
        "/cards/card_3?range=1m&price=2.50",
        "/cards/card_8?price=1",
    ],
)
def test_every_page_is_whole(hostile: Gateway, path: str) -> None:
    found = page(hostile.get(path, key="", headers=BROWSER))
    assert "PokeWatch" in words(found)
    assert "Simulated market." in words(found)


@pytest.mark.parametrize(
    ("query", "heading", "title"),
    [
        ("", "All cards", "Search"),
        ("?q=card", "Cards matching “card”", "card | Search"),
        ("?set=set1", "Cards of Set 1", "Set 1 | Search"),
        (
            "?q=pokmon+12&set=set1",
            "Cards matching “pokmon 12” of set1",
            "pokmon 12 | set1 | Search",
        ),
        ("?q=12&set=set1", "Cards matching “12” of Set 1", "12 | Set 1 | Search"),
    ],
)
def test_a_list_of_cards_is_named_by_all_that_it_is_limited_to(
    gateway: Gateway, query: str, heading: str, title: str
) -> None:
    text = gateway.get(f"/cards{query}", key="", headers=BROWSER).text
    found = re.search("<h1>(.*?)</h1>", text)
    assert found is not None
    assert re.sub("<.*?>", "", found[1]) == heading
    assert f"<title>{title} | PokeWatch</title>" in text


@pytest.mark.parametrize("number", HOSTILE)
def test_hostile_names_are_text(hostile: Gateway, number: int) -> None:
    response = hostile.get(f"/cards/card_{number}", key="", headers=BROWSER)
    assert HOSTILE[number] in "".join(page(response).text)
    assert "<script>" not in response.text


def test_links_between_pages_work(hostile: Gateway) -> None:
    seen = set()
    for path in ("/", "/cards", "/movers", "/sets", "/sets/set0", "/cards/card_1"):
        seen |= set(page(hostile.get(path, key="", headers=BROWSER)).links)
    for link in sorted(link for link in seen if link.startswith("/") and "#" not in link):
        response = hostile.get(link, key="", headers=BROWSER)
        assert response.status_code == 200, link
    assert f"/sets/{'s' * MAX_NAME_LENGTH}" in seen


@pytest.mark.parametrize("slug", ["card_0", "card_2", "card_7", "card_8", "card_9", "card_10"])
def test_a_card_page_has_the_values_of_the_api(hostile: Gateway, slug: str) -> None:
    text = words(page(hostile.get(f"/cards/{slug}?range=all", key="", headers=BROWSER)))
    card = hostile.get(f"/cards/{slug}").json()
    value = hostile.post("/fair_price", {"card_id": slug}).json()
    history = hostile.get(f"/cards/{slug}/history").json()
    shown = {name: card[name] for name in ("market_price", "fair_price", "low_price")}
    for name, price in shown.items():
        assert ("\u2013" if price is None else f"${price:,.2f}") in text, name
    assert f"{value['signal']} at the market price" in text
    for price in history["market_price"]:
        assert price is None or f"${price:,.2f}" in text


def test_a_card_page_has_the_forecasts_of_the_api(hostile: Gateway) -> None:
    found = page(hostile.get("/cards/card_2?range=all", key="", headers=BROWSER))
    text = words(found)
    forecasts = hostile.get("/cards/card_2").json()["forecasts"]
    assert [each["horizon"] for each in forecasts] == [7, 30, 90]
    for each in forecasts[:2]:
        amounts = (each["fair_price"], each["lower"], each["upper"])
        middle, lower, upper = (f"${amount:,.2f}" for amount in amounts)
        assert f"{day_text(each['date'])} {middle} {lower} to {upper}" in text
        assert f"{each['date']} forecast \u2013 \u2013 {middle} {lower} {upper}" in text
    assert f"Not yet: {forecasts[2]['missing']}." in text


@pytest.mark.parametrize(("span", "days"), [("1m", 31 + 30), ("all", 39 + 30)])
def test_the_chart_fans_out_as_far_as_its_range(hostile: Gateway, span: str, days: int) -> None:
    text = hostile.get(f"/cards/card_2?range={span}", key="", headers=BROWSER).text
    (found,) = re.findall(r'data-span="(\d+)"', text)
    assert int(found) in (days, days - 1)


def rows_of(gateway: Gateway, path: str) -> list[list[str]]:
    """Return the cells of a page's tables, without spaces that do not show."""
    found = page(gateway.get(path, key="", headers=BROWSER))
    return [[" ".join(cell.split()) for cell in row] for row in found.rows]


@pytest.mark.parametrize(
    ("path", "query", "find"),
    [
        ("/cards?set=set0", "/cards?set=set0&limit=40", lambda body: body["cards"]),
        ("/sets/set1", "/sets/set1", lambda body: body["top"]),
    ],
)
def test_lists_have_the_prices_of_the_api(
    hostile: Gateway, path: str, query: str, find: Callable[[Any], list[dict[str, Any]]]
) -> None:
    shown = rows_of(hostile, path)
    cards = find(hostile.get(query).json())
    assert len(cards) == len(shown) - 1
    for card, row in zip(cards, shown[1:], strict=True):
        assert card["number"] in row[0]
        amounts = [card[name] for name in ("market_price", "fair_price", "low_price")]
        assert row[1:] == [money(amount, "USD") for amount in amounts]


@pytest.mark.parametrize("days", [1, 7, 30])
def test_movers_have_the_changes_of_the_api(hostile: Gateway, days: int) -> None:
    shown = rows_of(hostile, f"/movers?days={days}&min_price=0")
    body = hostile.get(f"/changes?days={days}&min_price=0&limit=25").json()
    assert len(body["up"]) > 5
    text = words(page(hostile.get(f"/movers?days={days}", key="", headers=BROWSER)))
    assert f"Largest rises since {day_text(body['since'])}, cards of" in text
    for card in [*body["up"], *body["down"]]:
        amounts = [money(card[name], "USD") for name in ("price_before", "market_price")]
        (row,) = [row for row in shown if card["number"] in row[0] and row[1:3] == amounts]
        assert row[3].endswith(signed_percent(card["change_pct"]))


def likeliest(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the cards with the lowest asks, those most likely to earn first."""
    found = gateway.get("/movers?price=low&limit=200&min_price=1").json()["buy"]
    return sorted(found, key=lambda card: -(card["chance_to_earn"] or 0))


def test_bargains_have_the_advice_of_the_api(hostile: Gateway) -> None:
    bargains = likeliest(hostile)[:25]
    shown = [row for row in rows_of(hostile, "/movers") if len(row) == 6][1:]
    assert len(bargains) == len(shown) > 5
    for card, row in zip(bargains, shown, strict=True):
        offer = {"card_id": card["card_id"], "market_price": card["low_price"]}
        value = hostile.post("/fair_price", offer).json()
        for name in ("signal", "confidence", "buy_below", "sell_above", "advice"):
            assert card[name] == value[name], name
        assert card["chance_to_earn"] == value["chance_to_earn"]
        assert row[1:3] == [money(card["low_price"], "USD"), money(card["fair_price"], "USD")]
        below = money(card["buy_below"], "USD") if card["buy_below"] else "at no price"
        assert row[4:] == [below, chance(card["chance_to_earn"])]


def test_the_home_page_has_the_index_and_bargains_of_the_api(hostile: Gateway) -> None:
    text = words(page(hostile.get("/", key="", headers=BROWSER)))
    index = hostile.get("/index").json()
    assert f"Today {index['index'][-1]:.2f}" in text
    assert f"Largest rises since {day_text(hostile.get('/changes').json()['since'])}" in text
    for card in likeliest(hostile)[:5]:
        assert f"{money(card['low_price'], 'USD')} {money(card['fair_price'], 'USD')}" in text


def test_a_judged_price_has_the_answer_of_the_api(hostile: Gateway) -> None:
    response = hostile.get("/cards/card_2", key="", headers=BROWSER, params={"price": "$1,50"})
    value = hostile.post("/fair_price", {"card_id": "card_2", "market_price": 1.5}).json()
    assert value["signal"] == "BUY"
    assert "BUY at $1.50" in words(page(response))


def test_a_card_page_has_the_advice_of_the_api(hostile: Gateway) -> None:
    query = {"price": "3", "condition": "LP", "fees": "ebay"}
    text = words(page(hostile.get("/cards/card_2", key="", headers=BROWSER, params=query)))
    offer = {"card_id": "card_2", "market_price": 3.0, "condition": "LP", "fees": "ebay"}
    for value in (
        hostile.post("/fair_price", {"card_id": "card_2"}).json(),
        hostile.post("/fair_price", offer).json(),
    ):
        assert value["advice"] == "ok"
        assert f"Sell rather than keep at ${value['sell_above']:,.2f} or more." in text
    assert "for a lightly played copy" in text
    refused = hostile.get("/cards/card_2", headers=BROWSER, params={"price": "3", "condition": "X"})
    assert "Invalid request" in words(page(refused, 422))


def test_a_hold_at_a_price_to_sell_at_is_explained(hostile: Gateway) -> None:
    explained = "HOLD compares the price with the fair price; at this price, selling a copy"
    sell_above = hostile.post("/fair_price", {"card_id": "card_2"}).json()["sell_above"]
    for price, told in ((sell_above, 1), (sell_above - 0.01, 0)):
        query = {"price": f"{price:.2f}"}
        text = words(page(hostile.get("/cards/card_2", key="", headers=BROWSER, params=query)))
        assert f"HOLD at ${price:.2f}" in text
        assert text.count(explained) == told


def test_the_skill_of_the_model_is_said(hostile: Gateway) -> None:
    ready = hostile.get("/ready").json()
    pages = ("/", "/status", "/track-record", "/movers", "/sets", "/collection", "/cards/card_2")
    for path in (*pages, "/cards?q=card"):
        text = words(page(hostile.get(path, key="", headers=BROWSER)))
        said = ready["not_evaluated"] or SKILLS[ready["skill"]]
        assert text.count(said) == 1, path


def test_unknown_parameters_make_no_further_pages(hostile: Gateway) -> None:
    cache = hostile.app.assembly.answer_cache
    first = hostile.get("/sets", key="", headers=BROWSER)
    size = cache.bytes
    for number in range(5):
        again = hostile.get(f"/sets?utm_source={number}", key="", headers=BROWSER)
        assert again.text == first.text
    assert cache.bytes == size


def test_further_movers_and_their_file(hostile: Gateway) -> None:
    address = "/movers?days=30&min_price=0&sort=amount"
    found = page(hostile.get(address, key="", headers=BROWSER))
    (link,) = [link for link in found.links if ".csv" in link]
    response = hostile.get(link, key="")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    api = hostile.get("/changes?days=30&min_price=0&sort=amount&limit=1000&format=csv")
    assert response.content == BYTE_ORDER_MARK + api.content
    rows = list(csv.DictReader(io.StringIO(api.text)))
    assert {row["currency"] for row in rows} == {"USD"}
    assert len(rows) > 5
    beyond = page(hostile.get(f"{address}&page=2", key="", headers=BROWSER))
    assert "Previous cards" in words(beyond)
    assert hostile.get("/movers?page=41", key="", headers=BROWSER).status_code == 422


def test_a_set_whose_id_is_a_name_with_a_slash_is_found(hostile: Gateway) -> None:
    response = hostile.get("/sets", key="", headers=BROWSER)
    (link,) = re.findall(r"/sets/Sun[^\"]*", response.text)
    assert "Set 1" in words(page(hostile.get(link, key="", headers=BROWSER)))
    assert hostile.get("/sets/Sun%2FMoon%20%231%3F").json()["set_id"] == "Sun/Moon #1?"


def test_programs_get_json_from_the_same_path(hostile: Gateway) -> None:
    for path in ("/cards", "/cards/card_1", "/movers", "/sets", "/sets/set0"):
        assert hostile.get(path).headers["content-type"] == "application/json"
        assert hostile.get(path, key="").status_code == 401


def test_pages_are_compressed_and_revalidated(hostile: Gateway) -> None:
    first = hostile.get("/sets", key="", headers=BROWSER)
    assert first.headers["content-encoding"] in ("gzip", "br")
    assert "accept" in first.headers["vary"]
    again = hostile.get("/sets", key="", headers=BROWSER | {"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = hostile.get("/sets", key="", headers=BROWSER | {"accept-encoding": "identity"})
    assert plain.text == first.text


def test_suggestions_below_the_search_field(hostile: Gateway) -> None:
    found = hostile.get("/page-data/suggestions?q=pokmon+2", key="").json()["cards"]
    assert found[0]["slug"] == "card_2"
    assert found[0]["price"].startswith("$3.")


def test_cards_without_a_number_are_told_apart_by_their_product(hostile: Gateway) -> None:
    assert "Set 0 · product 2 · Normal" in words(
        page(hostile.get("/cards?q=pok%C3%A9mon+2", key="", headers=BROWSER))
    )
    found = hostile.get("/page-data/suggestions?q=pokmon+2", key="").json()["cards"]
    assert found[0]["number"] == "product 2"


def test_static_files_have_an_address_of_their_content(hostile: Gateway) -> None:
    text = hostile.get("/", key="", headers=BROWSER).text
    for address in re.findall(r'"(/static/[^"]+)"', text):
        response = hostile.get(address, key="")
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        other = hostile.get(f"{address}0", key="")  # of a page of another version
        assert (other.content, other.headers["cache-control"]) == (response.content, "no-store")
    assert hostile.get("/static/../pages.py", key="").status_code == 404
    assert hostile.get("/static/nothing.js", key="").status_code == 404


def test_without_a_model_server_pages_say_so(make_gateway: Callable[..., Gateway]) -> None:
    gateway = make_gateway("http://127.0.0.1:9", connect_seconds=0.2)
    for path in ("/", "/cards/card_1", "/movers"):
        assert "Model server unavailable" in words(
            page(gateway.get(path, key="", headers=BROWSER), 503)
        )
    assert "cannot be used" in words(page(gateway.get("/status", key="", headers=BROWSER)))
