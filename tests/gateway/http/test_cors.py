"""Cross-origin requests, also by a browser."""

import http.client
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.gateway.web.browsing import browser
from tests.serving.server import Server

__all__ = ["browser"]

SHOP = "https://shop.example"
PREFLIGHT = {
    "Origin": SHOP,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,x-api-key",
}


@pytest.fixture
def shop(mlserver: Server, make_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway that scripts of one site may call."""
    return make_gateway(mlserver.url, cors_origins=(SHOP,))


def test_it_is_off_by_default(gateway: Gateway) -> None:
    assert_problem(
        gateway.ask("OPTIONS", "/fair_price", key="", headers=PREFLIGHT), 405, "method-not-allowed"
    )
    response = gateway.get("/cards?limit=1", headers={"Origin": SHOP})
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_preflight_needs_no_key(shop: Gateway) -> None:
    response = shop.ask("OPTIONS", "/fair_price", key="", headers=PREFLIGHT)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == SHOP
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-headers"] == "*, Authorization"
    assert "x-request-id" in response.headers
    assert "content-length" not in response.headers


def test_scripts_may_read_answers_problems_and_their_headers(shop: Gateway) -> None:
    given = {"Origin": SHOP}
    for response in (
        shop.post("/fair_price", {"card_id": "card_4"}, headers=given),
        shop.post("/fair_price", {"card_id": "nobody"}, headers=given),
        shop.get("/nowhere", headers=given),
        shop.get("/cards", key="", headers=given),
    ):
        assert response.headers["access-control-allow-origin"] == SHOP
        exposed = response.headers["access-control-expose-headers"].lower().split(", ")
        assert {"etag", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"} <= set(
            exposed
        )
        assert "origin" in response.headers["vary"]
        assert "access-control-allow-credentials" not in response.headers


def test_scripts_may_read_why_a_request_is_malformed(shop: Gateway) -> None:
    connection = http.client.HTTPConnection(shop.url.removeprefix("http://"))
    for origin, allowed in ((SHOP, SHOP), ("https://shop.example.evil", None)):
        connection.request("GET", f"/cards?q={'a' * 66_000}", headers={"Origin": origin})
        response = connection.getresponse()
        assert (response.status, json.load(response)["type"]) == (400, "/docs#malformed")
        assert response.headers["access-control-allow-origin"] == allowed


def test_another_site_may_not(shop: Gateway) -> None:
    other = PREFLIGHT | {"Origin": "https://shop.example.evil"}
    assert_problem(
        shop.ask("OPTIONS", "/fair_price", key="", headers=other), 405, "method-not-allowed"
    )
    response = shop.get("/cards?limit=1", headers={"Origin": other["Origin"]})
    assert "access-control-allow-origin" not in response.headers
    assert "origin" in response.headers["vary"]
    assert "origin" in shop.get("/cards?limit=1").headers["vary"]


def test_every_site_may_where_the_setting_says_so(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    found = make_gateway(mlserver.url, cors_origins=("*",))
    response = found.get("/cards?limit=1", headers={"Origin": "https://any.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "origin" not in response.headers.get("vary", "")


@contextmanager
def other_site() -> Iterator[str]:
    """Serve an empty page on another origin."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>shop</title>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_FETCH = """
async ([url, key]) => {
  const response = await fetch(url + "/cards/card_4", {headers: {"X-API-Key": key}});
  const names = ["etag", "x-request-id", "ratelimit"];
  return [(await response.json()).card_id, ...names.map(name => response.headers.get(name))];
}
"""


def test_a_script_of_an_allowed_site_reads_a_card_in_a_browser(
    browser: Browser, mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    with other_site() as site:
        allowed = make_gateway(mlserver.url, cors_origins=(site,), rate="100/minute")
        page = browser.new_page()
        page.goto(site)
        card, *headers = page.evaluate(_FETCH, [allowed.url, allowed.key.key])
        assert card == "tcgplayer-4-normal"
        assert all(headers)
        page.close()


def test_a_script_of_another_site_reads_nothing(browser: Browser, gateway: Gateway) -> None:
    with other_site() as site:
        page = browser.new_page()
        page.goto(site)
        read = page.evaluate(f"args => ({_FETCH})(args).catch(() => null)", [gateway.url, "key"])
        assert read is None
        page.close()
