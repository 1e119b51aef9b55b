"""A gateway behind a real nginx that is configured as the documentation says."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import httpx
import pytest

from tests.conftest import ROOT
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.gateway.web.pages import BROWSER, page, words
from tests.nginx import running, write_config
from tests.serving.server import Server, free_ports

pytestmark = pytest.mark.integration

SECTION = re.compile(r"^## Behind a proxy$.*?^((?:    [^\n]+\n)+)", re.DOTALL | re.MULTILINE)
# As distributions and operators set it for all servers.
COMPRESSED = "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;"


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[str]:
    found = SECTION.search((ROOT / "docs/serving.md").read_text())
    assert found is not None
    port = free_ports(1)[0]
    http = dedent(found[1]).replace("127.0.0.1:8000", upstream.removeprefix("http://"))
    http = http.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    # One process, whose user may write to the folder.
    config = write_config(folder, f"{COMPRESSED}\n{http}", main="master_process off;")
    url = f"http://127.0.0.1:{port}"
    with running(config, url):
        yield url


@pytest.fixture
def behind_nginx(
    mlserver: Server, make_gateway: Callable[..., Gateway], tmp_path: Path
) -> Iterator[Gateway]:
    gateway = make_gateway(mlserver.url, pages="key")
    with nginx(tmp_path, gateway.url) as url:
        yield replace(gateway, url=url)


def test_forms_and_their_sessions(behind_nginx: Gateway) -> None:
    url, key = behind_nginx.url, behind_nginx.key.key
    with httpx.Client(base_url=url, headers=BROWSER | {"origin": url}, timeout=30) as visitor:
        form = visitor.get("/cards/card_4").headers["location"]
        entered = visitor.post(form, data={"key": key}, follow_redirects=True)
        assert str(entered.url) == f"{url}/cards/card_4"
        watch = {"card_id": "card_4", "type": "below", "amount": "4.50"}
        made = visitor.post("/watches/form", data=watch, follow_redirects=True)
        assert "at or below 4.50 USD" in words(page(made))
        file = {"file": ("mine.csv", b"card_id,quantity\ncard_4,2\n")}
        assert "1 line matched" in words(page(visitor.post("/collection", files=file)))


def test_a_collection_of_megabytes_reaches_the_gateway(behind_nginx: Gateway) -> None:
    headers = {"X-API-Key": behind_nginx.key.key, "Content-Type": "text/csv"}
    body = b"name,quantity\n" + b"Pikachu,1\n" * 300_000
    refused = httpx.post(f"{behind_nginx.url}/collections/value", content=body, headers=headers)
    assert "split it" in assert_problem(refused, 409, "unreadable-file")["detail"]


def test_a_download_that_was_cut_continues(behind_nginx: Gateway) -> None:
    whole = behind_nginx.get("/export.csv")
    rest = {"If-Range": whole.headers["etag"], "Range": "bytes=1000-"}
    continued = behind_nginx.get("/export.csv", headers=rest)
    assert continued.status_code == 206
    assert continued.content == whole.content[1_000:]


def test_answers_are_compressed_once(behind_nginx: Gateway) -> None:
    cards = behind_nginx.get("/cards?limit=40")
    assert cards.headers["content-encoding"] == "br"
    tag = cards.headers["etag"]
    assert behind_nginx.get("/cards?limit=40", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    ("trusted", "of_another"), [("127.0.0.1", 401), ("", 429)], ids=["trusted", "not trusted"]
)
def test_callers_without_a_key_are_limited_by_their_own_addresses(
    mlserver: Server,
    make_gateway: Callable[..., Gateway],
    tmp_path: Path,
    trusted: str,
    of_another: int,
) -> None:
    gateway = make_gateway(mlserver.url, trusted_proxies=trusted, failed_key_rate="2/minute")
    spoofed = "203.0.113.1, 127.0.0.1"

    def status(url: str, address: str, forwarded: str) -> int:
        """Return the status of a request that `address` sends without a key."""
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as client:
            return client.get(f"{url}/cards", headers={"X-Forwarded-For": forwarded}).status_code

    with nginx(tmp_path, gateway.url) as url:
        forwarded = [f"203.0.113.{number}" for number in range(3)]
        assert [status(url, "127.0.0.2", each) for each in forwarded] == [401, 401, 429]
        assert status(url, "127.0.0.2", spoofed) == 429
        assert status(url, "127.0.0.3", spoofed) == of_another
        # A client that is no proxy reaches the gateway itself.
        assert [status(gateway.url, "127.0.0.4", each) for each in forwarded] == [401, 401, 429]
