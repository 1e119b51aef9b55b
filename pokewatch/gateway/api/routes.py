"""The operations of the API: routes and OpenAPI document are both built from this table."""

from pokewatch.contract import MAX_BATCH_ROWS
from pokewatch.gateway.api import (
    card_schemas,
    collection_schemas,
    market_schemas,
    queries,
    record_schemas,
    records,
    schemas,
)
from pokewatch.gateway.api.examples import EXAMPLE
from pokewatch.gateway.api.export_routes import EXPORT_OPERATIONS
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.problem_groups import (
    AUTHENTICATED,
    CATALOG,
    UPSTREAM,
    WITH_BODY,
)
from pokewatch.gateway.api.status_routes import STATUS_OPERATIONS
from pokewatch.gateway.api.v2_routes import V2_OPERATIONS
from pokewatch.gateway.api.watch_routes import WATCH_OPERATIONS
from pokewatch.gateway.http import problems

_ONE_CARD = 16_384
_CURRENCY = (problems.UNKNOWN_MARKET, problems.OTHER_CURRENCY)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "fair_price",
        "POST",
        "/fair_price",
        "Value a card",
        schemas.FairPriceAnswer,
        "Returns the fair price of a card with a 90% interval, and BUY, SELL or HOLD for its "
        "market price or for a price offered to you.",
        request=schemas.FairPriceRequest,
        query=queries.NoQuery,
        max_bytes=_ONE_CARD,
        example={"card_id": EXAMPLE.slug, "market_price": EXAMPLE.price},
        problems=(
            *AUTHENTICATED,
            *WITH_BODY,
            problems.UNKNOWN_CARD,
            problems.UNKNOWN_MARKET,
            problems.UNKNOWN_DATE,
            problems.OTHER_CURRENCY,
            *UPSTREAM,
        ),
        by_variant=True,
    ),
    Operation(
        "fair_price_batch",
        "POST",
        "/fair_price/batch",
        f"Value up to {MAX_BATCH_ROWS:,} cards",
        schemas.BatchAnswer,
        "Each card gets its own answer or problem, in the order of the request. The cards may be "
        "of several markets. A batch counts as one request towards the rate limit.",
        scope="batch",
        request=schemas.BatchRequest,
        query=queries.NoQuery,
        example={
            "cards": [
                {"card_id": EXAMPLE.slug},
                {"card_id": EXAMPLE.slug, "date": EXAMPLE.day},
            ]
        },
        problems=(*AUTHENTICATED, *WITH_BODY, *UPSTREAM),
        by_variant=True,
    ),
    Operation(
        "signal",
        "POST",
        "/signal",
        "Judge a price against a fair price",
        schemas.SignalAnswer,
        "Returns BUY, SELL or HOLD for any price and fair price, by the thresholds of the request "
        "or of the server.",
        request=schemas.SignalRequest,
        query=queries.NoQuery,
        max_bytes=_ONE_CARD,
        example={"market_price": 90.0, "fair_price": 100.0},
        problems=(*AUTHENTICATED, *WITH_BODY, *_CURRENCY, *UPSTREAM),
    ),
    Operation(
        "cards",
        "GET",
        "/cards",
        "Search cards",
        card_schemas.CardPage,
        "Returns cards with their latest prices, page by page: send `next` as `cursor` to get the "
        "next page. The cards of a page are of one market; without `market`, all markets follow "
        "one another.",
        query=queries.CardsQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET, problems.UNKNOWN_PAGE),
        tagged=True,
        by_variant=True,
    ),
    # Before `/cards/{card_id}`, so that the `Allow` header of its path is its own.
    Operation(
        "cards_resolve",
        "POST",
        "/cards/resolve",
        "Find the cards that names and numbers mean",
        collection_schemas.ResolveAnswer,
        "Matches up to 10,000 cards as `/collections/value` does, never by a guess.",
        scope="batch",
        request=collection_schemas.ResolveRequest,
        collection=True,
        example={
            "cards": [{"name": EXAMPLE.name, "set": EXAMPLE.set_name, "number": EXAMPLE.number}]
        },
        query=queries.MarketQuery,
        problems=(*AUTHENTICATED, *WITH_BODY, problems.UNKNOWN_MARKET, *UPSTREAM),
    ),
    Operation(
        "card",
        "GET",
        "/cards/{card_id}",
        "Get a card and its latest prices",
        card_schemas.CardAnswer,
        query=queries.CardMarketQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET, problems.UNKNOWN_CARD),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "history",
        "GET",
        "/cards/{card_id}/history",
        "Get the daily prices of a card",
        card_schemas.History,
        "Both `from` and `to` are inclusive; without them, all days are returned.",
        query=queries.HistoryQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET, problems.UNKNOWN_CARD),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "movers",
        "GET",
        "/movers",
        "List the strongest signals of the latest day",
        card_schemas.Movers,
        "Returns the cards to BUY and to SELL whose prices deviate most from their fair prices, of "
        "all markets unless one is named.",
        query=queries.MoversQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "printings",
        "GET",
        "/cards/{card_id}/printings",
        "List the other printings of a card",
        market_schemas.CardList,
        "Returns the cards with the same name, set and number, with their latest prices.",
        query=queries.CardMarketQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET, problems.UNKNOWN_CARD),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "suggestions",
        "GET",
        "/suggestions",
        "Find cards while a user types",
        market_schemas.CardList,
        "Tolerates typing errors, and finds cards by product id or by the address of a listing.",
        query=queries.SuggestionsQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "sets",
        "GET",
        "/sets",
        "List sets",
        market_schemas.CardSets,
        query=queries.MarketQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "set",
        "GET",
        "/sets/{set_id}",
        "Get a set, its index and its most expensive cards",
        market_schemas.CardSetAnswer,
        query=queries.MarketQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET, problems.UNKNOWN_SET),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "index",
        "GET",
        "/index",
        "Get the price index of the market",
        market_schemas.MarketIndex,
        query=queries.MarketQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "changes",
        "GET",
        "/changes",
        "List the largest price changes",
        market_schemas.PriceChanges,
        "Compares the market prices of the latest day with those of 1, 7 or 30 days before, or of "
        "the last day with prices before that.",
        query=queries.ChangesQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
        tagged=True,
        csv_answer=True,
        by_variant=True,
    ),
    Operation(
        "track_record",
        "GET",
        "/track-record",
        "Compare past forecasts with the prices that followed",
        record_schemas.TrackRecordAnswer,
        "Returns scores of every published forecast that has its outcome, by month, model version "
        "and price, the worst misses, what following the signals would have earned, and the "
        "forecasts that are open. Updated by the daily monitoring.",
        query=queries.MarketQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
        tagged=True,
        by_variant=True,
    ),
    Operation(
        "track_record_csv",
        "GET",
        "/track-record.csv",
        "Download past forecasts as CSV",
        "text/csv",
        "Returns every published forecast that has its outcome, or those of a month: what was "
        "stated then, and the price that followed, empty where the card had none.",
        query=queries.MonthQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
    ),
    Operation(
        "track_record_parquet",
        "GET",
        "/track-record.parquet",
        "Download the past forecasts of a month as Parquet",
        records.PARQUET,
        "Returns the forecasts of `/track-record.csv` issued in a month; `/track-record` lists the "
        "months that have any.",
        query=queries.RequiredMonthQuery,
        problems=(*CATALOG, problems.UNKNOWN_MARKET),
    ),
    Operation(
        "collection_value",
        "POST",
        "/collections/value",
        "Value a collection",
        collection_schemas.CollectionAnswer,
        "Takes up to 10,000 lines as JSON, or the CSV file that an app exports. Each line is "
        "matched to one card, or listed with the cards that it may be. Nothing is stored.",
        scope="batch",
        request=collection_schemas.CollectionRequest,
        collection=True,
        csv=True,
        example={
            "lines": [
                {
                    "name": EXAMPLE.name,
                    "set": EXAMPLE.set_name,
                    "number": EXAMPLE.number,
                    "quantity": 2,
                },
                {"card_id": EXAMPLE.slug, "condition": "LP"},
            ]
        },
        query=queries.FeesQuery,
        problems=(
            *AUTHENTICATED,
            *WITH_BODY,
            problems.UNREADABLE_FILE,
            problems.UNKNOWN_MARKET,
            problems.OTHER_CURRENCY,
            *UPSTREAM,
        ),
    ),
    *WATCH_OPERATIONS,
    *EXPORT_OPERATIONS,
    *V2_OPERATIONS,
    *STATUS_OPERATIONS,
)
