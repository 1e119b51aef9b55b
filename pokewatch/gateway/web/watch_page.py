"""The page of watches: those of the session's key, with the forms to add and to remove one."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from pokewatch.contract import MAX_WATCH_CHANGE, MIN_WATCH_CHANGE
from pokewatch.gateway.api.card_names import CardName, names_of
from pokewatch.gateway.api.watch_schemas import WatchRequest
from pokewatch.gateway.api.watches import WatchEndpoints
from pokewatch.gateway.http.bodies import FormBodies
from pokewatch.gateway.http.faults import located
from pokewatch.gateway.http.middleware import NO_STORE, Answer, RequestContext, context_of
from pokewatch.gateway.http.problems import ProblemError, invalid
from pokewatch.gateway.web.access import PageAccess, require_same_origin
from pokewatch.gateway.web.endpoints import send_page
from pokewatch.gateway.web.page_queries import given_parameters, price_typed
from pokewatch.gateway.web.page_renderer import PageRenderer
from pokewatch.money import typed_price
from pokewatch.watches.conditions import REASONS
from pokewatch.watches.store import Watch

PATH = "/watches"
ADD = f"{PATH}/form"
REMOVE = f"{PATH}/{{watch_id}}/remove"

_MOVE_DAYS = 7


class WatchPage:
    """ASGI application of the page and its two forms. A form is answered by the page."""

    def __init__(
        self,
        endpoints: WatchEndpoints,
        forms: FormBodies,
        renderer: PageRenderer,
        access: PageAccess,
    ) -> None:
        self._endpoints = endpoints
        self._forms = forms
        self._renderer = renderer
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = PATH
        try:
            answer = await self._access.admit(context) or await self._answer(context, receive)
        except ProblemError as problem:
            answer = await self._renderer.problem(context, problem)
        await send_page(context, send, answer)

    async def _answer(self, context: RequestContext, receive: Receive) -> Answer:
        if context.scope["method"] != "POST":
            if context.scope["path"] != PATH:  # that of a form, as of a tab that is opened again
                return _to_page()
            return await self._page(context)
        require_same_origin(context)
        form = parse_qs((await self._forms.read(context, receive)).decode("latin-1"))
        if context.scope.get("path_params", {}).get("watch_id"):
            return await self._remove(context)
        return await self._add(context, {name: values[0].strip() for name, values in form.items()})

    async def _remove(self, context: RequestContext) -> Answer:
        try:
            await self._endpoints.drop(context)
        except ProblemError as problem:  # such as that it has been removed in another tab
            return await self._page(context, problem=problem)
        return _to_page()

    async def _add(self, context: RequestContext, form: dict[str, str]) -> Answer:
        try:
            request = _request(form)
            made = await self._endpoints.add(request, context, once=True)  # however often sent
        except ProblemError as problem:
            return await self._page(context, problem=problem, given=form)
        if made.secret is None:
            return _to_page(f"?made={made.id}")
        return await self._page(context, made=made)  # a secret is shown once, in no other answer

    async def _page(
        self,
        context: RequestContext,
        made: Watch | None = None,
        problem: ProblemError | None = None,
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Return the page, with the form again where what the visitor has `given` was refused."""
        watches = await self._endpoints.of_key(context)
        made = made or _made(context, watches)
        values = {
            "made": made,
            "problem": problem,
            "given": given,
            "given_currency": self._currency(given.get("market", "")),
            "watches": watches,
            "names": await self._names(watches, context),
            "failures": await self._endpoints.failures(context),
            "reasons": REASONS,
        }
        body = self._renderer.render("watches.html", context, values)
        return problem.kind.status if problem else 200, [NO_STORE], body

    def _currency(self, market: str) -> str:
        """Return the currency of the market with an id, else that of the first."""
        markets = self._renderer.markets
        named = (each for each in markets.backends if market and each.id == market)
        return next(named, markets.first).currency

    async def _names(
        self, watches: list[Watch], context: RequestContext
    ) -> dict[tuple[str, str], CardName]:
        """Return the cards of watches by market and slug, those that are served."""
        backends, headers = self._renderer.markets.backends, context.forwarded_headers()

        def slugs(market: str) -> list[str]:
            return [each.slug for each in watches if each.market == market]

        found = await asyncio.gather(
            *(names_of(slugs(each.id), each, headers) for each in backends)
        )
        return {
            (market.id, slug): card
            for market, names in zip(backends, found, strict=True)
            for slug, card in names.items()
        }


def _to_page(query: str = "") -> Answer:
    return 303, [(b"location", f"{PATH}{query}".encode()), NO_STORE], b""


def _made(context: RequestContext, watches: list[Watch]) -> Watch | None:
    """Return the watch that a form has created, which the query of the page names then."""
    named = given_parameters(context).get("made")
    return next((watch for watch in watches if [watch.id] == named), None)


def _request(form: dict[str, str]) -> WatchRequest:
    """Return the request that a form makes. Raise ProblemError (422)."""
    kind, amount = form.get("type", ""), form.get("amount", "")
    condition: dict[str, Any] = {"type": kind}
    fields = {"card_id": form.get("card_id", ""), "condition": condition}
    if kind in ("BUY", "SELL"):
        condition |= {"type": "signal", "signal": kind}
    elif not amount:
        raise invalid("/amount", "enter a price, or a percentage")
    elif kind == "moves":
        condition |= {"change": _percentage(amount) / 100, "days": _MOVE_DAYS}
    else:
        price = price_typed(amount, "/amount")
        condition["price"] = float(price)
        if price.currency is not None:
            fields["currency"] = price.currency
    fields |= {name: form[name] for name in ("market", "webhook") if form.get(name)}
    try:
        return msgspec.convert(fields, WatchRequest)
    except msgspec.ValidationError as error:
        raise invalid(*located(str(error), WatchRequest, fields)) from None


def _percentage(text: str) -> float:
    """Return a percentage as people type it: `10`, `10%` or `12,5 %`. Raise ProblemError (422)."""
    try:
        number = typed_price(text.removesuffix("%"), 100 * MIN_WATCH_CHANGE, 100 * MAX_WATCH_CHANGE)
    except ValueError as error:
        detail = str(error).replace("is not a price", "is not a percentage")
        raise invalid("/amount", detail) from None
    if number.currency is not None:
        detail = f"{text[:40]!r} is an amount of money: enter a percentage, such as 10%"
        raise invalid("/amount", detail)
    return float(number)
