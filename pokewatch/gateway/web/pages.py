"""The pages. Each method reads answers of the API and returns the values of its template."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET

from pokewatch.contract import (
    CONDITIONS,
    DEFAULT_MIN_PRICE,
    FEE_CURRENCIES,
    MAX_MIN_PRICE,
    MAX_PAGE_SIZE,
)
from pokewatch.gateway.alerts import Alerts
from pokewatch.gateway.api import catalog_calls, queries
from pokewatch.gateway.api.card_schemas import Mover
from pokewatch.gateway.api.catalog_reader import CatalogCall
from pokewatch.gateway.api.changes_csv import changes_file
from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.markets.elsewhere import cards_elsewhere
from pokewatch.gateway.api.schemas import FairPriceAnswer
from pokewatch.gateway.events.event_log import EventLog
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.web import formats
from pokewatch.gateway.web.page_charts import card_chart, index_changes, index_chart, last_days
from pokewatch.gateway.web.page_queries import (
    MAX_PAGE,
    CardPageQuery,
    MoversPageQuery,
    SearchPageQuery,
    price_of,
)
from pokewatch.gateway.web.record_page import record_values
from pokewatch.gateway.web.visits import Visit

Values = dict[str, Any]

RANGES = {"1m": 31, "3m": 92, "1y": 366, "all": None}
_PAGE_CARDS = 40
_ASKS_BELOW = 200  # the bargains are among these
_HOME_CARDS = 5
_MOVERS = 25


@dataclass(frozen=True, slots=True)
class _Judged:
    """A price that the visitor asked about, and the answer."""

    price: float
    answer: FairPriceAnswer


class Pages:
    """The pages' values, from the same calls as the API's answers.

    With an event log, the signals on the pages of cards are events.
    """

    def __init__(self, markets: Markets, alerts: Alerts, events: EventLog | None) -> None:
        self._markets = markets
        self._alerts = alerts
        self._events = events
        self.logs_visits = events is not None  # each, also where the page has been made before

    async def home(self, visit: Visit) -> Values:
        index, changes, bargains = await self._read(
            visit,
            catalog_calls.index_call(),
            catalog_calls.changes_call(queries.ChangesQuery(limit=_HOME_CARDS)),
            catalog_calls.movers_call(_asks_below(DEFAULT_MIN_PRICE)),
        )
        chart = index_chart("Price index of the market", index.dates, index.index)
        return {
            "index": index,
            "chart": chart,
            "index_changes": index_changes(index.index),
            "changes": changes,
            "bargains": _bargains(bargains.buy, _HOME_CARDS),
        }

    async def search(self, visit: Visit) -> Values:
        query = cast(SearchPageQuery, visit.query)
        found = queries.CardsQuery(
            q=query.q.strip(),
            set=query.set or UNSET,
            limit=_PAGE_CARDS,
            cursor=query.cursor or UNSET,
        )
        _, after = catalog_calls.position_of(found)
        page = (await self._read(visit, catalog_calls.search_call(found, after)))[0]
        suggested: Sequence[Any] = ()
        if not page.cards and query.q.strip() and not query.set:
            call = catalog_calls.suggestions_call(query.q.strip(), 20)
            suggested = (await self._read(visit, call))[0].cards
        more = {"market": query.market, "q": query.q, "set": query.set, "cursor": page.next}
        following = urlencode({key: value for key, value in more.items() if value})
        return {
            "query": query,
            "page": page,
            "suggested": suggested,
            "next": f"/cards?{following}" if page.next else None,
        }

    async def suggestions(self, visit: Visit) -> bytes:
        """Return what the list below the search field shows, as JSON."""
        query = queries.parse_query(queries.SuggestionsQuery, visit.context.scope["query_string"])
        found = (await self._read(visit, catalog_calls.suggestions_call(query.q, query.limit)))[0]
        cards = [
            {name: getattr(card, name) for name in ("slug", "name", "set_name", "printing")}
            | {"number": formats.number_text(card.card_id, card.number)}
            | {"price": formats.money(card.market_price, found.currency)}
            for card in found.cards
        ]
        return msgspec.json.encode({"cards": cards})

    async def card(self, visit: Visit) -> Values:
        query = cast(CardPageQuery, visit.query)
        card_id = catalog_calls.card_id_of(visit.context)
        offered = price_of(query.price, "?price", currency=visit.market.currency)
        calls: list[CatalogCall | CardQuery] = [
            catalog_calls.card_call(card_id),
            _history_call(visit.market, card_id, query.range),
            catalog_calls.printings_call(card_id),
            CardQuery(card_id, "", None),
        ]
        if offered is not None:
            calls.append(CardQuery(card_id, "", offered, query.condition, query.fees))
        card, history, printings, value, *judged = await self._read(visit, *calls)
        signals = [(value, None), *((each, offered) for each in judged)]
        visit.on_shown = lambda: self._log(visit, signals)
        shown = last_days(history, RANGES[query.range])
        headers = visit.context.forwarded_headers()
        others = await cards_elsewhere(self._markets, visit.market, card, headers)
        return {
            "query": query,
            "card": card,
            "value": value,
            "judged": _Judged(offered, judged[0]) if offered is not None else None,
            "history": shown,
            "printings": printings.cards,
            "other_markets": others,
            "chart": card_chart(card, shown, RANGES[query.range]),
            "ranges": list(RANGES),
            "kept": _judged_link(query) if offered is not None else "",
            "conditions": CONDITIONS,
            "marketplaces": [
                name for name, currency in FEE_CURRENCIES.items() if currency == card.currency
            ],
        }

    async def movers(self, visit: Visit) -> Values:
        query = cast(MoversPageQuery, visit.query)
        shown = query.page * _MOVERS
        wanted = _changes_query(visit, query, min(shown + 1, MAX_PAGE_SIZE))
        changes, bargains = await self._read(
            visit,
            catalog_calls.changes_call(wanted),
            catalog_calls.movers_call(_asks_below(wanted.min_price)),
        )
        more = query.page < MAX_PAGE and max(len(changes.up), len(changes.down)) > shown
        up, down = (rows[shown - _MOVERS : shown] for rows in (changes.up, changes.down))
        return {
            "query": query,
            "changes": msgspec.structs.replace(changes, up=up, down=down),
            "bargains": _bargains(bargains.buy, _MOVERS),
            "previous": _movers_link(query, query.page - 1) if query.page > 1 else None,
            "next": _movers_link(query, query.page + 1) if more else None,
            "csv": _movers_link(query, 1, "/page-data/movers.csv"),
        }

    async def movers_csv(self, visit: Visit) -> bytes:
        """Return the price changes of the page and those after them, as CSV."""
        query = queries.parse_query(MoversPageQuery, visit.context.scope["query_string"])
        call = catalog_calls.changes_call(_changes_query(visit, query, MAX_PAGE_SIZE))
        return changes_file((await self._read(visit, call))[0])

    async def sets(self, visit: Visit) -> Values:
        return {"found": (await self._read(visit, catalog_calls.sets_call()))[0]}

    async def card_set(self, visit: Visit) -> Values:
        call = catalog_calls.set_call(visit.context.scope["path_params"]["set_id"])
        found = (await self._read(visit, call))[0]
        chart = index_chart(f"Price index of {found.set_name}", found.dates, found.index)
        return {"found": found, "chart": chart, "index_changes": index_changes(found.index)}

    async def track_record(self, visit: Visit) -> Values:
        found = (await self._read(visit, catalog_calls.record_call()))[0]
        visit.record_digest = found.record
        return await record_values(found, visit)

    async def status(self, visit: Visit) -> Values:
        """Return the alerts, the canaries, and what the last monitoring run found."""
        try:
            record = (await self._read(visit, catalog_calls.record_call()))[0]
        except ProblemError:
            record = None
        states = [(each.id, each.canary.state()) for each in self._markets.backends if each.canary]
        canaries = [(market, state) for market, state in states if state is not None]
        return {"alerts": await self._alerts.current(), "record": record, "canaries": canaries}

    async def _read(self, visit: Visit, *calls: CatalogCall | CardQuery) -> list[Any]:
        """Return the answers of the catalogue, then the prices, in the order of their calls.

        They are from one version of model and data if possible: they are read again if a model was
        replaced between two calls.
        """
        for _ in range(2):
            found = await self._answers(visit, calls)
            if len({(each.model_version, each.data_version) for each in found}) == 1:
                break
        visit.record(found)
        return found

    def _log(self, visit: Visit, signals: Sequence[tuple[FairPriceAnswer, float | None]]) -> None:
        if self._events is None:
            return
        for each, offered in signals:
            arm = self._markets.arm(each.market, visit.context)
            key, version = visit.context.key, each.model_version
            self._events.add(key, arm, each.market, each.card_id, offered, each.signal, version)

    async def _answers(self, visit: Visit, calls: Sequence[CatalogCall | CardQuery]) -> list[Any]:
        headers = visit.context.forwarded_headers
        of_catalog = [call for call in calls if isinstance(call, CatalogCall)]
        cards = [
            msgspec.structs.replace(call, headers=headers)
            for call in calls
            if isinstance(call, CardQuery)
        ]
        value, request_id = visit.market.prices.value, visit.context.request_id
        read = visit.market.reader.read_all(of_catalog, headers())
        found, *values = await _all([read, *(value(card, request_id) for card in cards)])
        return [*found, *values]


def _judged_link(query: CardPageQuery) -> str:
    """Return the part of an address that judges the same price again."""
    fields = {"price": query.price, "condition": query.condition, "fees": query.fees}
    return "&" + urlencode({name: value for name, value in fields.items() if value})


def _history_call(market: MarketBackend, card_id: str, name: str) -> CatalogCall:
    """Return the call for only the days of the range that is shown, up to the day being served.

    A card page would otherwise read years of prices to show three months.
    """

    def of(days: int | None) -> CatalogCall:
        query = queries.HistoryQuery()
        if days is not None and market.poller.served is not None:
            first = formats.later(market.poller.served.last_day, 1 - days)
            query = queries.HistoryQuery(start=first)
        return catalog_calls.history_call(card_id, query)

    others = [of(days) for other, days in reversed(RANGES.items()) if other != name]
    return replace(of(RANGES[name]), instead=others)


def _changes_query(visit: Visit, query: MoversPageQuery, limit: int) -> queries.ChangesQuery:
    currency = visit.market.currency
    least = price_of(query.min_price, "?min_price", currency=currency, least=0, most=MAX_MIN_PRICE)
    return queries.ChangesQuery(
        days=query.days,
        set=query.set or UNSET,
        rarity=query.rarity or UNSET,
        min_price=DEFAULT_MIN_PRICE if least is None else least,
        sort=query.sort,
        limit=limit,
    )


def _movers_link(query: MoversPageQuery, page: int, path: str = "/movers") -> str:
    """Return the address of another page of the same cards."""
    given = msgspec.structs.asdict(query) | {"page": page if page > 1 else ""}
    return f"{path}?{urlencode({name: value for name, value in given.items() if value})}"


def _asks_below(min_price: float) -> queries.MoversQuery:
    return queries.MoversQuery(price="low", min_price=min_price, limit=_ASKS_BELOW)


def _bargains(cards: Sequence[Mover], count: int) -> list[Mover]:
    """Return the cards most likely to earn: after fees, a low ask of a cheap card is no bargain."""
    return sorted(cards, key=lambda card: -(card.chance_to_earn or 0.0))[:count]


async def _all(calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """Await all calls together. Raise the first error after all have ended."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found
