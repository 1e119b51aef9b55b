"""Visits of pages, and what all pages have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx

from tests.gateway.conftest import Gateway, gateway_at

BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
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


@contextmanager
def keyed(gateway: Gateway, folder: Path) -> Iterator[tuple[Gateway, httpx.Client]]:
    url = gateway.app.assembly.settings.mlserver_url
    with (
        gateway_at(url, folder, pages="key") as found,
        httpx.Client(base_url=found.url, headers=BROWSER, timeout=30) as client,
    ):
        yield found, client
