"""A real browser: Chromium, driven by Playwright."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.gateway.conftest import Gateway
from tests.tools import require_tool


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = require_tool("chromium")
    with sync_playwright() as playwright:
        # Containers run as root, and with a /dev/shm that is too small for Chromium.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        launched = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


def opened(browser: Browser, gateway: Gateway, **options: Any) -> Page:
    context = browser.new_context(base_url=gateway.url, **options)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"{page.url}: {error}"))
    return page


def serious_faults(page: Page) -> list[tuple[str, list[str]]]:
    """Return what axe-core finds serious or critical, with the elements at fault."""
    return [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in Axe().run(page).response["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
