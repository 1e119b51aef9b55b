"""Who may see the pages: sessions, forms of this host, and no pages at all."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.web.hostile_book import hostile
from tests.gateway.web.pages import BROWSER, keyed, page, words

__all__ = ["hostile"]


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
        data = client.get("/page-data/suggestions?q=card", headers={"accept": "*/*"})
        assert (data.status_code, data.headers["www-authenticate"][:6]) == (401, "Bearer")
        entered = sign_in(client, gateway.key.key)
        assert (entered.status_code, entered.headers["location"]) == (303, "/sets")
        page(client.get("/cards/card_1"))
        assert gateway.key.key not in str(client.cookies)
        origin = {"origin": gateway.url, "content-type": "application/x-www-form-urlencoded"}
        assert client.post("/sign-out", headers=origin).status_code == 303
        assert client.get("/cards/card_1").status_code == 303


@pytest.mark.parametrize(
    ("link", "there"),
    [
        ("/page-data/movers.csv?days=1&set=Set+0", "/movers?days=1&set=Set+0"),
        ("/page-data/track-record.csv", "/track-record"),
        ("/page-data/track-record.parquet?month=2026-01", "/track-record?month=2026-01"),
    ],
)
def test_a_link_to_a_file_leads_back_to_its_page(
    hostile: Gateway, tmp_path: Path, link: str, there: str
) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        ended = client.get(link)
        assert ended.status_code == 303
        headers = {"origin": gateway.url}
        entered = client.post(
            ended.headers["location"], data={"key": gateway.key.key}, headers=headers
        )
        assert entered.headers["location"] == there
        page(client.get(there))
        client.cookies.clear()
        assert client.get(link, headers={"accept": "*/*"}).json()["title"] == "API key required"


@pytest.mark.parametrize(
    ("link", "status", "text"),
    [
        ("/page-data/movers.csv?min_price=x", 422, "The minimum price: 'x' is not a price"),
        ("/page-data/track-record.parquet", 422, "Month: is required"),
    ],
)
def test_a_browser_shows_why_there_is_no_file(
    hostile: Gateway, link: str, status: int, text: str
) -> None:
    assert text in words(page(hostile.get(link, key="", headers=BROWSER), status))
    assert hostile.get(link, key="").json()["status"] == status


def test_a_link_to_a_file_shows_what_it_leads_to(hostile: Gateway) -> None:
    """With the attribute `download`, a browser would save the page for signing in as the file."""
    shown = hostile.get("/movers?days=1&min_price=0", key="", headers=BROWSER).text
    assert re.search(r'<a href="/page-data/movers\.csv[^>]*" *>', shown)
    kept = hostile.get("/page-data/movers.csv?days=1", key="").headers["content-disposition"]
    assert kept == 'attachment; filename="pokewatch-movers.csv"'


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
        empty = sign_in(client, "")
        assert (empty.status_code, empty.headers["www-authenticate"][:6]) == (401, "Bearer")
        batch = gateway.store.create("batch", scopes=("batch",))
        assert sign_in(client, batch.key).status_code == 403
        assert not client.cookies


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


def test_a_cookie_of_another_server_does_not_end_a_session(
    hostile: Gateway, tmp_path: Path
) -> None:
    with keyed(hostile, tmp_path) as (gateway, client):
        session = sign_in(client, gateway.key.key).headers["set-cookie"].partition(";")[0]
        client.cookies.clear()
        for cookie in (f'a[1]={{"b": 1}}; {session}', f"x; {session}; y=z"):
            assert client.get("/sets", headers={"cookie": cookie}).status_code == 200


def test_an_address_longer_than_any_page_has_is_not_read(hostile: Gateway, tmp_path: Path) -> None:
    """Whoever has no key may send as many as they like, and reading one took 0.1 s."""
    many = "&".join(["%c3=%c3"] * 7_000)
    with keyed(hostile, tmp_path) as (_, client):
        for path in (f"/cards?{many}", f"/cards/{'a' * 50_000}"):
            response = client.get(path)
            assert response.status_code == 303
            assert response.headers["location"] == "/sign-in?next=%2F"
        form = client.get(f"/sign-in?next=/sets&{many}").text
        assert 'action="/sign-in?next=/"' in form
