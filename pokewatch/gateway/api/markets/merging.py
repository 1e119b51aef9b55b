"""Answers of GET /cards and /movers from all markets."""

import asyncio
import math
from collections.abc import Sequence

from msgspec import structs

from pokewatch.gateway.api.card_schemas import CardPage, Mover, Movers
from pokewatch.gateway.api.catalog_calls import cursor_of, movers_call, position_of, search_call
from pokewatch.gateway.api.catalog_reader import CatalogCall
from pokewatch.gateway.api.cursor import unknown_page
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import CardsQuery, MoversQuery
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import ProblemError, is_outage


async def page_of_all(markets: Markets, query: CardsQuery, context: RequestContext) -> CardPage:
    """Return a page of a search of all markets, one after another. Raise ProblemError.

    The cards of a page are of one market: the next one begins on a new page. Markets without a
    match are passed over, and at the start of a market, so is one that does not answer in time.
    """
    market, after = position_of(query)
    backends = _from(markets.backends, market)
    left_out: list[str] = []
    empty: CardPage | None = None
    for number, backend in enumerate(backends):
        inside = bool(after) and not number
        call = search_call(query, after if inside else "")
        deadline = math.inf if inside else backend.merge_deadline()
        try:
            reader = backend.for_request(context).reader
            found: CardPage = await reader.read(call, context.forwarded_headers(), deadline)
        except ProblemError as problem:
            last = number == len(backends) - 1 and empty is None
            if not is_outage(problem) or last or inside:
                raise
            left_out.append(backend.id)
            continue
        if found.cards:
            following = backends[number + 1 : number + 2]
            if found.next is None and following:
                found = structs.replace(found, next=cursor_of(query, following[0].id, ""))
            return structs.replace(found, unavailable=left_out)
        empty = empty or found
    assert empty is not None  # else the last market has raised
    return structs.replace(empty, unavailable=left_out)


async def movers_of_all(markets: Markets, query: MoversQuery, context: RequestContext) -> Movers:
    """Return the strongest signals of all markets. Raise ProblemError if none can be read."""
    call = movers_call(query)
    found = await asyncio.gather(*(_movers(backend, call, context) for backend in markets.backends))
    read = [each for each in found if isinstance(each, Movers)]
    away = [
        backend.id
        for backend, each in zip(markets.backends, found, strict=True)
        if not isinstance(each, Movers)
    ]
    if not read:
        raise next(each for each in found if isinstance(each, ProblemError))
    return Movers(
        date=max(each.date for each in read),
        price=query.price,
        buy=_strongest([each.buy for each in read], query.limit),
        sell=_strongest([each.sell for each in read], query.limit),
        market=None,
        model_version=None,
        data_version=None,
        currency=None,
        markets=[market for each in read for market in each.markets],
        unavailable=away,
        stale=any(each.stale for each in read),
    )


async def _movers(
    backend: MarketBackend, call: CatalogCall, context: RequestContext
) -> Movers | ProblemError:
    """Return the movers of a market, or the problem of one that is down. Raise ProblemError."""
    try:
        reader = backend.for_request(context).reader
        headers = context.forwarded_headers()
        found: Movers = await reader.read(call, headers, backend.merge_deadline())
    except ProblemError as problem:
        if not is_outage(problem):
            raise
        return problem
    return found


def _strongest(rows: Sequence[list[Mover]], limit: int) -> list[Mover]:
    """Return the rows that deviate most. All are of one signal."""
    merged = [row for each in rows for row in each]
    return sorted(merged, key=lambda row: -abs(row.deviation_pct))[:limit]


def _from(backends: Sequence[MarketBackend], market: str) -> Sequence[MarketBackend]:
    """Return the markets from that of a cursor on, all for "". Raise ProblemError (404)."""
    if not market:
        return backends
    for number, backend in enumerate(backends):
        if backend.id == market:
            return backends[number:]
    raise unknown_page()
