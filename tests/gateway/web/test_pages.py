"""The pages of a real gateway, in front of a real MLServer."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from pokewatch.contract import MAX_NAME_LENGTH
from pokewatch.csv_cells import BYTE_ORDER_MARK
from pokewatch.gateway.web.formats import SKILLS, chance, day_text, money, signed_percent
from pokewatch.valuation.book import STATUSES, write_book
from tests.gateway.conftest import Gateway, gateway_at
from tests.serving.books import FACTS, catalog, forecasts, rows
from tests.serving.server import serving_book

BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
HOSTILE = {
    3: "<script>alert(1)</script>",
    4: "\u202eright to left",
    5: "🔥 & \"quotes\" 'too'",
    6: "x" * 500,
    7: "{{ 7 * 7 }}",
}
VOID = {"meta", "link", "input", "br"}


class Structure(HTMLParser):
    """Checks that elements are nested, and collects texts, links and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self.rows: list[list[str]] = []  # the cells of all tables

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag == "a":
            self.links.append(values["href"] or "")
        if "style" in values or any(name.startswith("on") for name in values):
            self.inline.append(tag)
        if tag in {"script", "style"} and "src" not in values:
            self.inline.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def page(response: httpx.Response, status: int = 200) -> Structure:
    """Return the structure of a page, checked for what all pages have in common."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    found = Structure()
    found.feed(response.text)
    assert found.open == []
    assert found.inline == []
    assert "undefined" not in response.text.lower()
    return found


def words(found: Structure) -> str:
    return " ".join(" ".join(found.text).split())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose book has hostile names, and cards with few prices or none."""
    folder = tmp_path_factory.mktemp("hostile")
    cards = catalog(12)
    names = [HOSTILE.get(i, f"Pokémon {i}") for i in range(12)]
    cards = cards.set_column(cards.schema.get_field_index("name"), "name", pa.array(names))
    long = ["s" * MAX_NAME_LENGTH, "t" * (MAX_NAME_LENGTH + 1)]
    sets = [*long, *cards["set_id"].to_pylist()[2:-1], "Sun/Moon #1?"]
    cards = cards.set_column(cards.schema.get_field_index("set_id"), "set_id", pa.array(sets))
    named = [*long, *cards["set_name"].to_pylist()[2:]]
    cards = cards.set_column(cards.schema.get_field_index("set_name"), "set_name", pa.array(named))
    numbers = ["" if i == 2 else f"{i:03}/100" for i in range(12)]
    cards = cards.set_column(cards.schema.get_field_index("number"), "number", pa.array(numbers))
    values = rows(12, days=40)
    values.market[8] = np.nan
    values.fair[8] = values.lower[8] = values.upper[8] = np.nan
    values.status[8] = STATUSES.index("thin_history")
    values.market[9, :-1] = np.nan
    values.market[10, -1] = np.nan
    values.low[11] = np.nan
    digest = write_book(folder / "book", cards, values, FACTS, forecasts(values))
    with serving_book(folder, digest) as server, gateway_at(server.url, folder) as found:
        yield found


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
        assert f"Rather sell than keep at ${value['sell_above']:,.2f} or more." in text
    assert "for a lightly played copy" in text
    refused = hostile.get("/cards/card_2", headers=BROWSER, params={"price": "3", "condition": "X"})
    assert "Invalid request" in words(page(refused, 422))


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


def test_a_cookie_of_another_server_does_not_end_a_session(
    hostile: Gateway, tmp_path: Path
) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        session = sign_in(client, gateway.key.key).headers["set-cookie"].partition(";")[0]
        client.cookies.clear()
        for cookie in (f'a[1]={{"b": 1}}; {session}', f"x; {session}; y=z"):
            assert client.get("/sets", headers={"cookie": cookie}).status_code == 200


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
    ("/movers?days=3", "Days: must be '1', '30' or '7', not '3'.", "/movers"),
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
    assert hostile.get("/static/../pages.py", key="").status_code == 404
    assert hostile.get("/static/nothing.js", key="").status_code == 404


@contextmanager
def keyed(gateway: Gateway, folder: Path) -> Iterator[tuple[Gateway, httpx.Client]]:
    url = gateway.app.assembly.settings.mlserver_url
    with (
        gateway_at(url, folder, pages="key") as found,
        httpx.Client(base_url=found.url, headers=BROWSER, timeout=30) as client,
    ):
        yield found, client


def sign_in(client: httpx.Client, key: str, **more: Any) -> httpx.Response:
    origin = str(client.base_url).rstrip("/")
    headers = {"origin": origin, **more}
    return client.post("/sign-in?next=/sets", data={"key": key}, headers=headers)


def test_a_key_is_entered_once(hostile: Gateway, tmp_path: Path) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        response = client.get("/cards/card_1?range=1m")
        assert response.status_code == 303
        assert response.headers["location"] == "/sign-in?next=%2Fcards%2Fcard_1%3Frange%3D1m"
        action = 'action="/sign-in?next=/cards/card_1%3Frange%3D1m"'
        form = client.get(response.headers["location"]).text
        assert action in form
        assert "what you sent" not in form
        assert client.get("/page-data/suggestions?q=card").status_code == 401
        entered = sign_in(client, gateway.key.key)
        assert (entered.status_code, entered.headers["location"]) == (303, "/sets")
        page(client.get("/cards/card_1"))
        assert gateway.key.key not in str(client.cookies)
        origin = {"origin": gateway.url, "content-type": "application/x-www-form-urlencoded"}
        assert client.post("/sign-out", headers=origin).status_code == 303
        assert client.get("/cards/card_1").status_code == 303


def test_signing_in_leads_to_an_address_with_any_letters(hostile: Gateway, tmp_path: Path) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        for wanted in (
            "/sets/Sun/Moon%20%231%3F?market=a%26b",
            "/sets/Pok%C3%A9mon%20GO",
            "/cards?q=%C3%A9+100%25",
        ):
            page_of_key = client.get(wanted).headers["location"]
            headers = {"origin": gateway.url}
            there = client.post(page_of_key, data={"key": gateway.key.key}, headers=headers)
            assert there.headers["location"] == wanted
            client.cookies.clear()


def test_a_session_counts_towards_the_limit_of_its_key(hostile: Gateway, tmp_path: Path) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        slow = gateway.store.create("slow", rate="2/hour")
        assert sign_in(client, slow.key).status_code == 303
        assert client.get("/sets").status_code == 200
        limited = client.get("/sets")
        assert limited.status_code == 429
        assert int(limited.headers["retry-after"]) > 0


def test_keys_that_do_not_open_a_session(hostile: Gateway, tmp_path: Path) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        wrong = sign_in(client, "pw_wrong")
        assert wrong.status_code == 401
        assert 'action="/sign-in?next=/sets"' in wrong.text, "the next attempt leads there too"
        assert sign_in(client, "").status_code == 401
        batch = gateway.store.create("batch", scopes=("batch",))
        assert sign_in(client, batch.key).status_code == 403
        assert client.cookies.get("pokewatch_session") is None


def test_guesses_of_a_key_are_limited_as_those_of_the_api(hostile: Gateway, tmp_path: Path) -> None:
    url = hostile.app.assembly.settings.mlserver_url
    with (
        gateway_at(url, tmp_path, pages="key", failed_key_rate="3/hour") as gateway,
        httpx.Client(base_url=gateway.url, headers=BROWSER, timeout=30) as client,
    ):
        for _ in range(2):
            assert sign_in(client, "pw_guess").status_code == 401
        assert gateway.get("/cards/card_1", key="pw_guess").status_code == 401
        for refused in (sign_in(client, "pw_guess"), sign_in(client, "pw_another")):
            assert "Too many requests" in words(page(refused, 429))
            assert int(refused.headers["retry-after"]) > 60
            assert "set-cookie" not in refused.headers
        assert gateway.get("/cards/card_1", key="pw_guess").status_code == 429
        assert sign_in(client, gateway.key.key).status_code == 303


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://["])
def test_a_form_from_elsewhere_is_refused(hostile: Gateway, tmp_path: Path, origin: str) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        assert sign_in(client, gateway.key.key, origin=origin).status_code == 403


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 303), ("same-site", 403), ("cross-site", 403)]
)
def test_a_browser_vouches_for_its_form_where_a_proxy_sends_another_host(
    hostile: Gateway, tmp_path: Path, site: str, status: int
) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        headers = {"origin": "https://cards.example:8443", "sec-fetch-site": site}
        assert sign_in(client, gateway.key.key, **headers).status_code == status


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "x"])
def test_signing_in_does_not_lead_elsewhere(hostile: Gateway, tmp_path: Path, target: str) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        response = client.post(
            "/sign-in",
            params={"next": target},
            data={"key": gateway.key.key},
            headers={"origin": gateway.url},
        )
        assert response.status_code == 303
        assert response.headers["location"] == "/"


def test_pages_can_be_off(hostile: Gateway, tmp_path: Path) -> None:
    url = hostile.app.assembly.settings.mlserver_url
    with gateway_at(url, tmp_path, pages="off") as gateway:
        assert gateway.get("/", headers=BROWSER).status_code == 404
        json = gateway.get("/cards/card_1", headers=BROWSER)
        assert json.headers["content-type"] == "application/json"


def test_without_a_model_server_pages_say_so(make_gateway: Callable[..., Gateway]) -> None:
    gateway = make_gateway("http://127.0.0.1:9", connect_seconds=0.2)
    for path in ("/", "/cards/card_1", "/movers"):
        assert "Model server unavailable" in words(
            page(gateway.get(path, key="", headers=BROWSER), 503)
        )
    assert "cannot be used" in words(page(gateway.get("/status", key="", headers=BROWSER)))
