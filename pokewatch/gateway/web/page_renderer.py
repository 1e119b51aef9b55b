"""Pages from templates, with the values that all pages share."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from pokewatch.contract import MAX_DATA_AGE_HOURS, data_age_hours
from pokewatch.gateway.api.card_names import names_of
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.http.middleware import NO_STORE, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.web.access import PageAccess
from pokewatch.gateway.web.formats import problem_text
from pokewatch.gateway.web.page_queries import PageQuery, given_parameters
from pokewatch.gateway.web.rendering import Templates

_FIELDS = {
    "q": "the search",
    "cursor": "the page",
    "price": "the asked price",
    "min_price": "the minimum price",
}


class PageRenderer:
    """Renders templates with the values that all pages share."""

    def __init__(
        self,
        templates: Templates,
        access: PageAccess,
        markets: Markets,
        pictures: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._templates = templates
        self._access = access
        self.markets = markets
        self._pictures = pictures
        self._now = now

    def render(
        self,
        template: str,
        context: RequestContext,
        values: dict[str, Any],
        market: MarketBackend | None = None,
        stale: bool = False,
    ) -> bytes:
        """Return a page of a market, by default the one that the request names, or the first."""
        market = market or self._named(context)
        poller = market.poller
        common = {
            "served": poller.served,
            "currency": market.currency,
            "simulated": poller.served is not None and poller.served.source == "simulated",
            "age": poller.data_age(lambda: self._now().date()),
            "old": self._has_old_prices(market),
            "down": stale or poller.problem is not None,
            "keyed": not self._access.open,
            "pictures": self._pictures,
            "path": context.scope["path"],
            **self._market_values(market),
        }
        return self._templates.render(template, common | values)

    def _has_old_prices(self, market: MarketBackend) -> bool:
        served = market.poller.served
        if served is None:
            return False
        hours = data_age_hours(date.fromisoformat(served.last_day), self._now())
        return hours > MAX_DATA_AGE_HOURS

    def _named(self, context: RequestContext) -> MarketBackend:
        [name] = given_parameters(context).get("market", [""])[:1]
        named = (each for each in self.markets.backends if each.id and each.id == name)
        return next(named, self.markets.first)

    def _market_values(self, market: MarketBackend) -> dict[str, Any]:
        """Return the markets to choose from, and what links add to stay in this one.

        A link without a query adds `here`, one with a query `also`.
        """
        ids = [each.id for each in self.markets.backends if each.id]
        several = len(ids) > 1
        named = market.id if several and market.name != self.markets.first.name else ""
        return {
            "market": market.id if several else "",
            "markets": ids if several else [],
            "backends": self.markets.backends,
            "named_market": named,
            "here": f"?market={named}" if named else "",
            "also": f"&market={named}" if named else "",
        }

    async def problem(self, context: RequestContext, problem: ProblemError) -> Answer:
        """Return the page of a problem, with the names of the similar cards."""
        market = self._named(context)
        names = await names_of(problem.near, market, context.forwarded_headers())
        values = {"kind": problem.kind, "detail": problem_text(problem), "back": ""}
        values |= {"near": problem.near, "names": names}
        values |= _query_fault(context, problem)
        body = self.render("problem.html", context, values | {"request_id": context.request_id})
        return problem.kind.status, problem_headers(problem), body

    def cache_key(
        self, context: RequestContext, query: PageQuery, market: MarketBackend
    ) -> tuple[str, ...]:
        """Return all that a page depends on besides the versions of model and data."""
        values = [str(value) for value in msgspec.structs.astuple(query)]
        values += [market.poller.current_record(), str(market.poller.settings_changes)]
        values += [self._now().date().isoformat(), str(self._has_old_prices(market))]
        if self.markets.several():
            for each in self.markets.backends:
                poller = each.poller
                values += [each.id, repr(poller.current_versions()), str(poller.settings_changes)]
        return ("page", market.model, context.scope["path"], *values)


def _query_fault(context: RequestContext, problem: ProblemError) -> dict[str, str]:
    """Return what is wrong with the fields of a form, in words, and the page without them."""
    faults = {each.pointer[1:]: each.detail for each in problem.errors if each.pointer[:1] == "?"}
    if not faults or "" in faults:
        return {}
    said = [f"{_FIELDS.get(name, name.replace('_', ' '))}: {why}" for name, why in faults.items()]
    given = parse_qsl(context.scope["query_string"].decode("latin-1"))
    rest = urlencode([(name, value) for name, value in given if name not in faults])
    path = quote(context.scope["path"])
    return {"detail": "; ".join(said), "back": f"{path}?{rest}" if rest else path}


def problem_headers(problem: ProblemError) -> list[Header]:
    """Return the headers of the page of a problem."""
    headers = [NO_STORE, *problem.headers]
    if problem.retry_after is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    return headers
