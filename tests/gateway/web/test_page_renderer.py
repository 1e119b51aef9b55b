"""What all pages say, at a time of the test's choosing."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from pokewatch.gateway.http.bodies import FormBodies
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.web.access import PageAccess
from pokewatch.gateway.web.page_queries import PageQuery
from pokewatch.gateway.web.page_renderer import PageRenderer
from pokewatch.gateway.web.rendering import StaticFiles, Templates
from pokewatch.gateway.web.sessions import Sessions
from tests.gateway.conftest import Gateway
from tests.polling import eventually


@pytest.mark.parametrize(("hours", "old"), [(1, False), (35, False), (37, True)])
def test_prices_are_old_on_pages_when_the_alerts_say_so(
    gateway: Gateway, hours: int, old: bool
) -> None:
    """Counted from the end of the market day: between midnight and the daily run they are not."""
    assembly = gateway.app.assembly
    market = assembly.markets.first
    served = eventually(lambda: market.poller.served, bool)
    end = datetime.combine(date.fromisoformat(served.last_day), time(), UTC) + timedelta(days=1)
    sessions = Sessions(assembly.key_cache)
    access = PageAccess(True, assembly.authenticator, sessions, FormBodies(1_024, 1.0))
    context = RequestContext({"headers": [], "path": "/", "query_string": b""}, "1")

    def pages(at: datetime) -> PageRenderer:
        return PageRenderer(Templates(StaticFiles()), access, assembly.markets, now=lambda: at)

    now = end + timedelta(hours=hours)
    values = {"problem": None, "next": "/", "unsent": False}
    text = pages(now).render("sign_in.html", context, values)
    assert (b"The newest prices are of" in text) is old
    midnight = datetime.combine(now.date(), time(), UTC)
    keys = {pages(at).cache_key(context, PageQuery(), market) for at in (midnight, now)}
    assert len(keys) == (2 if old else 1), "a page that is cached may not say it"
