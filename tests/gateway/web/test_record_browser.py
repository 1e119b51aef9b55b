"""The page of the track record in a real browser, with a record of four months."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.gateway.web.browsing import browser, opened
from tests.gateway.web.test_record_page import Recorded, four_months

pytestmark = pytest.mark.integration

__all__ = ["browser", "four_months"]

OTHER_SCREENS = (("dark", 390), ("light", 1300), ("dark", 1300))


@pytest.mark.parametrize(
    ("width", "scripts"), [(390, True), (1300, False)], ids=["390-scripts", "1300-no scripts"]
)
def test_from_the_start_to_a_miss_and_to_the_download(
    browser: Browser, four_months: Recorded, scripts: bool, width: int
) -> None:
    viewport: Any = {"width": width, "height": 900}
    page = opened(browser, four_months.gateway, java_script_enabled=scripts, viewport=viewport)
    page.goto("/")
    page.get_by_role("link", name="Its track record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Track record")
    assert page.get_by_role("img", name="Error by month").is_visible()
    page.get_by_text("109 versions").click()
    expect(page.get_by_role("rowheader", name="109 17 Jan 2026")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Every past forecast as CSV").click()
    assert download.value.suggested_filename == "pokewatch-track-record.csv"
    section = page.get_by_role("region", name="The worst misses")
    section.get_by_role("link").first.click()
    expect(page.get_by_text("Fair price in 7 days")).to_be_visible()
    page.context.close()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 390), *(pytest.param(*each, marks=pytest.mark.slow) for each in OTHER_SCREENS)],
)
def test_it_is_accessible_and_fits_the_screen(
    browser: Browser, four_months: Recorded, scheme: Any, width: int
) -> None:
    # axe is injected as an inline script, which the pages' own policy forbids.
    page = opened(
        browser,
        four_months.gateway,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        bypass_csp=True,
    )
    for path in ("/track-record", "/status", "/"):
        page.goto(path)
        for details in page.locator("details").all():
            details.locator("summary").click()
        violations = Axe().run(page).response["violations"]
        serious = [each["id"] for each in violations if each["impact"] in {"serious", "critical"}]
        assert serious == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.context.close()
