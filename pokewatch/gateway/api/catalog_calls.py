"""The queries of a catalogue that answer the operations of the API and the pages."""

from typing import Any

import msgspec
from msgspec import UNSET

from pokewatch.contract import MAX_NAME_LENGTH, MAX_TEXT_LENGTH
from pokewatch.gateway.api import card_schemas, market_schemas, queries
from pokewatch.gateway.api import catalog_checks as checks
from pokewatch.gateway.api.catalog_reader import CatalogCall
from pokewatch.gateway.api.cursor import decode_cursor, encode_cursor, unknown_page
from pokewatch.gateway.api.queries import require_day
from pokewatch.gateway.api.record_checks import check_record
from pokewatch.gateway.api.record_schemas import TrackRecordAnswer
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import invalid, unknown_card, unknown_set


def position_of(query: queries.CardsQuery) -> tuple[str, str]:
    """Return the market and the card that the page of a search follows, "" for none.

    Raise ProblemError (404) for a cursor of another search or market.
    """
    named = "" if query.market is UNSET else query.market
    if query.cursor is UNSET:
        return named, ""
    market, after = decode_cursor(query.cursor, _search(query))
    if named not in ("", market):
        raise unknown_page()
    return market, after


def cursor_of(query: queries.CardsQuery, market: str, after: str) -> str:
    """Return the cursor of the page that follows the card `after` of a market."""
    return encode_cursor(market, after, _search(query))


def search_call(query: queries.CardsQuery, after: str = "") -> CatalogCall:
    """Return the call of the page that follows the card `after`, "" for the first."""
    payload = _set_fields(
        {"q": query.q, "set": query.set, "rarity": query.rarity, "limit": query.limit}
    )
    if after:
        payload["after"] = after

    def with_cursor(found: card_schemas.CardPage) -> card_schemas.CardPage:
        if found.next is None:
            return found
        return msgspec.structs.replace(found, next=cursor_of(query, found.market, found.next))

    return CatalogCall("search", payload, card_schemas.CardPage, checks.check_page, with_cursor)


def _search(query: queries.CardsQuery) -> str:
    return repr((query.q, query.set, query.rarity))


def card_call(card_id: str) -> CatalogCall:
    return CatalogCall("card", {"card_id": card_id}, card_schemas.CardAnswer, checks.check_card)


def printings_call(card_id: str) -> CatalogCall:
    payload = {"card_id": card_id}
    return CatalogCall("printings", payload, market_schemas.CardList, checks.check_list)


def history_call(card_id: str, query: queries.HistoryQuery) -> CatalogCall:
    days = _set_fields({"from": query.start, "to": query.end})
    checked = {name: require_day(day, f"?{name}") for name, day in days.items()}
    if checked.get("from", "") > checked.get("to", "9999-12-31"):
        raise invalid("?from", f"{checked['from']} is after `to`, {checked['to']}")
    payload = {"card_id": card_id, **checked}
    return CatalogCall("history", payload, card_schemas.History, checks.check_history)


def movers_call(query: queries.MoversQuery) -> CatalogCall:
    payload = _set_fields(msgspec.structs.asdict(query))
    payload.pop("market", None)

    def with_markets(found: card_schemas.Movers) -> card_schemas.Movers:
        market, currency = found.market or "", found.currency or ""
        buy, sell = (
            [msgspec.structs.replace(row, market=market, currency=currency) for row in rows]
            for rows in (found.buy, found.sell)
        )
        versions = found.model_version or "", found.data_version or ""
        of_market = card_schemas.MoversOfMarket(market, currency, found.date, *versions)
        return msgspec.structs.replace(found, buy=buy, sell=sell, markets=[of_market])

    return CatalogCall("movers", payload, card_schemas.Movers, checks.check_movers, with_markets)


def suggestions_call(text: str, limit: int) -> CatalogCall:
    payload = {"q": text, "limit": limit}
    return CatalogCall("suggestions", payload, market_schemas.CardList, checks.check_list)


def sets_call() -> CatalogCall:
    return CatalogCall("sets", {}, market_schemas.CardSets, checks.check_sets)


def set_call(set_id: str) -> CatalogCall:
    if not 0 < len(set_id) <= MAX_NAME_LENGTH:
        raise unknown_set(set_id[:MAX_TEXT_LENGTH])
    return CatalogCall("set", {"set_id": set_id}, market_schemas.CardSetAnswer, checks.check_set)


def index_call() -> CatalogCall:
    return CatalogCall("index", {}, market_schemas.MarketIndex, checks.check_index)


def record_call() -> CatalogCall:
    return CatalogCall("track_record", {}, TrackRecordAnswer, check_record, of_record=True)


def changes_call(query: queries.ChangesQuery) -> CatalogCall:
    fields = msgspec.structs.asdict(query)
    del fields["format"], fields["market"]
    payload = _set_fields(fields)
    return CatalogCall("changes", payload, market_schemas.PriceChanges, checks.check_changes)


def _set_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Drop the unset fields."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def card_id_of(context: RequestContext) -> str:
    """Return the card id of the path. Raise ProblemError (404) if no id is as long."""
    card_id: str = context.scope["path_params"]["card_id"]
    if len(card_id) > MAX_TEXT_LENGTH:
        raise unknown_card(card_id[:MAX_TEXT_LENGTH])
    return card_id
