"""The page that values an uploaded collection. Nothing of it is stored."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.types import Receive, Scope, Send

from pokewatch.contract import FEE_CURRENCIES
from pokewatch.gateway.api.card_names import names_of
from pokewatch.gateway.api.collection_schemas import CollectionWorth, LineWorth
from pokewatch.gateway.api.collections import CollectionEndpoint
from pokewatch.gateway.api.queries import parse_query
from pokewatch.gateway.http.middleware import REVALIDATE, Answer, RequestContext, context_of
from pokewatch.gateway.http.problems import ProblemError, invalid
from pokewatch.gateway.web.access import PageAccess, require_same_origin
from pokewatch.gateway.web.endpoints import send_page
from pokewatch.gateway.web.page_queries import PageQuery, market_of
from pokewatch.gateway.web.page_renderer import PageRenderer, problem_headers
from pokewatch.gateway.web.uploads import UploadBodies
from pokewatch.money import in_cents

PATH = "/collection"
_SHOWN = 200


class CollectionPage:
    """ASGI application of the page: a form, and the worth of the collection that it uploads."""

    def __init__(
        self,
        endpoint: CollectionEndpoint,
        renderer: PageRenderer,
        access: PageAccess,
        bodies: UploadBodies,
    ) -> None:
        self._endpoint = endpoint
        self._renderer = renderer
        self._access = access
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = PATH
        try:
            valued = context.scope["method"] == "POST"  # which the API asks the scope `batch` for
            answer = await self._access.admit(context, "batch" if valued else "read")
            if answer is None:
                answer = await self._page(context, receive)
        except ProblemError as problem:
            answer = self._form(context, problem)
        await send_page(context, send, answer)

    async def _page(self, context: RequestContext, receive: Receive) -> Answer:
        query = parse_query(PageQuery, context.scope["query_string"])
        market = market_of(self._renderer.markets, query, None)
        if context.scope["method"] != "POST":
            return self._form(context, None)
        require_same_origin(context)
        fields = await self._bodies.read(context, receive)
        text = fields.get("text", b"").decode(errors="replace")
        fees = fields.get("fees", b"").decode("latin-1").strip()
        try:
            content = _content(fields)
            if fees and fees not in FEE_CURRENCIES:
                raise invalid("/fees", f"{fees[:40]!r} is not one of {', '.join(FEE_CURRENCIES)}")
            worth = await self._endpoint.value_file(content, fees or None, context, market)
        except ProblemError as problem:
            return self._form(context, problem, {"text": text, "fees": fees})
        parts = _parts(worth)
        candidates = [slug for line in parts["unvalued"] for slug in line.candidates]
        names = await names_of(candidates, market, context.forwarded_headers())
        body = self._rendered(context, {"problem": None, "worth": worth, "names": names, **parts})
        # Back from a card, the browser would otherwise have to send the file again. As the page
        # varies by cookie, it is not shown once the session has ended.
        return 200, [REVALIDATE], body

    def _form(
        self,
        context: RequestContext,
        problem: ProblemError | None,
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Return the form with what the visitor has `given` in it."""
        body = self._rendered(context, {"problem": problem, "worth": None, **given})
        if problem is None:
            return 200, [REVALIDATE], body
        return problem.kind.status, problem_headers(problem), body

    def _rendered(self, context: RequestContext, values: dict[str, object]) -> bytes:
        values = {"text": "", "fees": "", "marketplaces": FEE_CURRENCIES} | values
        return self._renderer.render("collection.html", context, values)


def _content(fields: Mapping[str, bytes]) -> bytes:
    """Return the file of the form, or the lines pasted. Raise ProblemError (422)."""
    pasted = fields.get("text", b"") + b"\n"  # a browser sends all of it: its last line is whole
    given = [each for each in (fields.get("file", b""), pasted) if each.strip()]
    if not given:
        raise invalid("/file", "choose one that is not empty, or paste its lines")
    if len(given) > 1:
        raise invalid("/file", "choose one or paste its lines, not both")
    return given[0]


def _parts(worth: CollectionWorth) -> dict[str, Any]:
    """Return the lines by what a reader does with them, the most valuable first."""
    valued = [line for line in worth.lines if line.why_unvalued is None]
    valued.sort(key=_total, reverse=True)
    unvalued = [line for line in worth.lines if line.why_unvalued is not None]
    to_sell = [line for line in valued if _gains(line)]
    return {
        "valued": valued[:_SHOWN],
        "hidden": len(valued) - len(valued[:_SHOWN]),
        "to_sell": to_sell[:_SHOWN],
        "hidden_to_sell": len(to_sell[_SHOWN:]),
        "gains": _gains,
        "unvalued": unvalued[:_SHOWN],
        "matched_unvalued": sum(line.outcome == "matched" for line in unvalued),
        "refused": worth.refused[:_SHOWN],
        "hidden_unvalued": len(unvalued[_SHOWN:]) + len(worth.refused[_SHOWN:]),
    }


def _gains(line: LineWorth) -> bool:
    """Return whether the advice is to sell, for a gain that can be seen in print."""
    return line.advice == "sell" and in_cents(line.gain_of_selling or 0.0) > 0


def _total(line: LineWorth) -> float:
    return line.market_total or 0.0
