from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pokewatch.gateway.web.collection_page import _parts
from tests.gateway.conftest import Gateway
from tests.gateway.web.pages import BROWSER, page, words
from tests.serving.server import Server

CSV = (
    "name,set,number,printing,condition,quantity\n"
    "Pokémon 4,Set 0,4/100,Normal,LP,3\n"
    "<script>,Set 0,4/100,Normal,NM,1\n"
    "Pokémon 5,Set 0,5/100,Normal,NM,many\n"
)


def upload(gateway: Gateway, content: bytes, **fields: str) -> httpx.Response:
    files = {"file": ("mine.csv", content, "text/csv")}
    headers = BROWSER | {"origin": gateway.url}
    return gateway.ask("POST", "/collection", key="", headers=headers, files=files, data=fields)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_uploaded_file_is_valued_as_by_the_api(gateway: Gateway, encoding: str) -> None:
    response = upload(gateway, CSV.encode(encoding), fees="ebay", text="")
    text = words(page(response))
    api = gateway.ask(
        "POST",
        "/collections/value?fees=ebay",
        content=CSV.encode(),
        headers={"content-type": "text/csv"},
    ).json()
    totals = api["totals"]
    assert f"${totals['market']:,.2f}" in text
    assert f"${totals['proceeds_now']:,.2f}" in text
    assert "After the fees of eBay" in text
    assert "1 line matched, 1 not found, 1 left out." in text
    assert "'many' is not a number of copies" in text
    assert "<script>" in text
    assert response.headers["cache-control"] == "private, no-cache"


def test_lines_that_are_matched_and_not_in_the_sum_are_counted(gateway: Gateway) -> None:
    lines = "name,set,number,condition\nPokémon 4,Set 0,4/100,PSA 10\nPokémon 4,Set 0,4/100,NM\n"
    assert "2 lines matched (1 of them not valued)." in words(page(upload(gateway, lines.encode())))


def test_a_row_tells_its_card_from_others_of_its_name(gateway: Gateway) -> None:
    text = words(page(upload(gateway, b"", text="card_id,quantity\ncard_4,1200\n")))
    assert "Pokémon 4 Set 0 · 004/100 · Normal · NM 1,200 $5.04" in text


def test_the_profit_is_shown_where_the_file_has_costs(gateway: Gateway) -> None:
    lines = "card_id,quantity,cost\ncard_4,2,$900.00\ncard_5,1,\n"
    text = words(page(upload(gateway, b"", text=lines)))
    assert "Paid for 2 copies $1,800.00 Profit of selling them now \u2212$1,79" in text
    assert "All copies Profit if sold Advice" in text
    without = words(page(upload(gateway, CSV.encode())))
    assert "Profit" not in without


def test_amounts_that_are_no_multiples_of_the_prices_shown_are_explained(gateway: Gateway) -> None:
    text = words(page(upload(gateway, CSV.encode())))
    assert "LP 3 $4.28 $4.28 $12.85" in text
    assert "not always the price shown times the copies" in text


def test_a_line_is_not_guessed_but_shows_the_cards_that_it_may_be(gateway: Gateway) -> None:
    response = upload(gateway, b"", text="name,set\nPokmon 14,Set 1\n")
    text = words(page(response))
    assert "No card has this name Pokémon 14 Set 1 · 014/100 · Normal" in text
    assert '<a href="/cards/card_14"><bdi>Pokémon 14</bdi></a>' in response.text


@pytest.mark.parametrize(("gain", "listed"), [(0.004, 0), (0.0, 0), (0.01, 1), (None, 0)])
def test_a_sale_that_gains_nothing_is_not_advised(gain: float | None, listed: int) -> None:
    line: Any = SimpleNamespace(
        why_unvalued=None, advice="sell", gain_of_selling=gain, market_total=0.3, outcome="matched"
    )
    worth: Any = SimpleNamespace(lines=[line], refused=[])
    assert len(_parts(worth)["to_sell"]) == listed


def test_as_many_lines_to_sell_are_shown_as_others() -> None:
    line: Any = SimpleNamespace(
        why_unvalued=None, advice="sell", gain_of_selling=1.0, market_total=3.0, outcome="matched"
    )
    worth: Any = SimpleNamespace(lines=[line] * 10_000, refused=[])
    parts = _parts(worth)
    assert len(parts["to_sell"]) == len(parts["valued"]) == 200
    assert parts["hidden_to_sell"] == parts["hidden"] == 9_800


def test_pasted_lines(gateway: Gateway) -> None:
    assert "1 line matched" in words(page(upload(gateway, b"", text=CSV)))


def test_the_last_of_pasted_lines_need_not_have_all_cells(gateway: Gateway) -> None:
    lines = "name,quantity,set,number\nPokémon 4,1,Set 0\nPokémon 5,1,Set 0"
    text = words(page(upload(gateway, b"", text=lines)))
    assert "2 lines matched" in text
    assert "2 lines end before the last column (first line 2)" in text


def test_what_was_entered_is_still_there_after_a_mistake(gateway: Gateway) -> None:
    refused = upload(gateway, b"", text="<name>\nPikachu", fees="cardmarket")
    assert "The fees of cardmarket are in EUR" in words(page(refused, 409))
    assert "&lt;name&gt;\nPikachu</textarea>" in refused.text


def test_a_file_beside_pasted_lines_is_refused(gateway: Gateway) -> None:
    refused = upload(gateway, CSV.encode(), text=CSV)
    assert "The file: choose one or paste its lines, not both" in words(page(refused, 422))
    assert "Pokémon 4,Set 0,4/100,Normal,LP,3" in refused.text


def test_a_collection_without_a_card_has_no_interval_and_no_table(gateway: Gateway) -> None:
    text = words(page(upload(gateway, b"", text="name,quantity\nNobody,1\n")))
    assert "no card is valued" in text
    assert "All valued cards" not in text
    assert "too few days" not in text


def test_lines_that_are_not_shown_are_counted(gateway: Gateway) -> None:
    lines = "".join(f"Pokémon {card},0\n" for card in range(250)) + "Nobody,1\n"
    text = words(page(upload(gateway, b"", text="name,quantity\n" + lines)))
    assert "250 left out" in text
    assert text.count("It counts no copy") == 200
    assert "And 50 more lines" in text


@pytest.mark.parametrize(
    ("content", "status", "text"),
    [
        (b"", 422, "The file: choose one that is not empty"),
        (b"date,price\n1,2\n", 409, "no column names the cards"),
        (b"\xff\x00" * 3_000_000, 413, "The file exceeds the limit of 4,194,304 bytes"),
    ],
    ids=["empty", "no cards", "large"],
)
def test_what_cannot_be_valued_is_explained(
    gateway: Gateway, content: bytes, status: int, text: str
) -> None:
    shown = words(page(upload(gateway, content), status))
    assert text.lower() in shown.lower()


def test_unknown_fees_and_other_forms(gateway: Gateway) -> None:
    assert "'none' is not one of" in words(page(upload(gateway, CSV.encode(), fees="none"), 422))
    headers = BROWSER | {"origin": gateway.url}
    response = gateway.ask("POST", "/collection", key="", headers=headers, data={"text": CSV})
    assert "multipart/form-data" in words(page(response, 415))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_a_form_of_another_site_is_refused(gateway: Gateway, origin: str) -> None:
    headers = BROWSER | {"origin": origin}
    files = {"file": ("mine.csv", CSV.encode(), "text/csv")}
    response = gateway.ask("POST", "/collection", key="", headers=headers, files=files)
    assert "not sent from a page of this host" in words(page(response, 403))


def test_a_key_needs_the_scope_that_the_api_asks_for(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mlserver.url, pages="key")
    reading = gateway.store.create("reader", ["read"], rate="none").key
    gateway.app.assembly.key_cache.refresh()
    files = {"file": ("mine.csv", CSV.encode(), "text/csv")}
    for key, status in ((reading, 403), (gateway.key.key, 200)):
        headers = BROWSER | {"origin": gateway.url}
        page(gateway.get("/collection", key=key, headers=headers))
        response = gateway.ask("POST", "/collection", key=key, headers=headers, files=files)
        text = words(page(response, status))
        assert ("the key does not have the scope 'batch'" in text.lower()) == (status == 403)


def test_a_page_that_refuses_says_when_to_try_again(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mlserver.url, pages="key")
    slow = gateway.store.create("slow", rate="1/hour").key
    gateway.app.assembly.key_cache.refresh()
    page(gateway.get("/collection", key=slow, headers=BROWSER))
    refused = gateway.get("/collection", key=slow, headers=BROWSER)
    assert "wait" in words(page(refused, 429))
    assert int(refused.headers["retry-after"]) > 60
    assert refused.headers["cache-control"] == "no-store"
