"""Every operation of the API, once: the routes and the OpenAPI document are both made from this table."""

from dataclasses import dataclass
from typing import Any

from pokewatch.gateway.api import schemas
from pokewatch.gateway.http import problems
from pokewatch.gateway.http.problems import Kind
from pokewatch.gateway.upstream import v2_messages

KEYED = (problems.UNAUTHORIZED, problems.FORBIDDEN, problems.RATE_LIMITED, problems.KEYS_UNREADABLE)
BODIED = (
    problems.NOT_JSON,
    problems.SLOW_REQUEST,
    problems.TOO_LARGE,
    problems.MEDIA_TYPE,
    problems.INVALID,
)
MODELLED = (
    problems.UPSTREAM_FAULT,
    problems.UNAVAILABLE,
    problems.OVERLOADED,
    problems.UPSTREAM_TIMEOUT,
)
READINESS = (problems.KEYS_UNREADABLE, *MODELLED)
LISTED = (*KEYED, problems.INVALID, *MODELLED)

_ONE_CARD = 16_384
_INFERENCE = {
    "inputs": [{"name": "card_id", "shape": [1], "datatype": "BYTES", "data": ["charizard_ex_199"]}]
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is the operationId and names the handler. `scope` is what a key needs; without one, no key is asked for.
    A body may have `most_bytes`, or what the settings allow where that is less.

    `response` is a model, or the media type of an answer that is no JSON. `tagged` answers have an entity tag.
    """

    name: str
    method: str
    path: str
    summary: str
    response: Any
    scope: str | None = "read"
    request: Any = None
    most_bytes: int | None = None
    example: Any = None
    query: Any = None
    problems: tuple[Kind, ...] = ()
    tagged: bool = False


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "fair_price",
        "POST",
        "/fair_price",
        "What a card is worth, and whether to buy or sell it",
        schemas.FairPriceAnswer,
        request=schemas.FairPriceRequest,
        most_bytes=_ONE_CARD,
        example={"card_id": "charizard_ex_199", "market_price": 40.0},
        problems=(*KEYED, *BODIED, problems.UNKNOWN_CARD, problems.UNKNOWN_DATE, *MODELLED),
    ),
    Operation(
        "fair_price_batch",
        "POST",
        "/fair_price/batch",
        "Up to 1,000 cards in one request",
        schemas.BatchAnswer,
        scope="batch",
        request=schemas.BatchRequest,
        example={
            "cards": [
                {"card_id": "charizard_ex_199"},
                {"card_id": "pikachu_25", "date": "2026-11-20"},
            ]
        },
        problems=(*KEYED, *BODIED, *MODELLED),
    ),
    Operation(
        "signal",
        "POST",
        "/signal",
        "The signal of a price against a fair price",
        schemas.SignalAnswer,
        request=schemas.SignalRequest,
        most_bytes=_ONE_CARD,
        example={"market_price": 90.0, "fair_price": 100.0},
        problems=(*KEYED, *BODIED, *MODELLED),
    ),
    Operation(
        "cards",
        "GET",
        "/cards",
        "Search for cards",
        schemas.CardPage,
        query=schemas.CardsQuery,
        problems=(*LISTED, problems.UNKNOWN_PAGE),
        tagged=True,
    ),
    Operation(
        "card",
        "GET",
        "/cards/{card_id}",
        "A card and its latest prices",
        schemas.CardAnswer,
        query=schemas.NoQuery,
        problems=(*LISTED, problems.UNKNOWN_CARD),
        tagged=True,
    ),
    Operation(
        "history",
        "GET",
        "/cards/{card_id}/history",
        "A card's prices by day",
        schemas.History,
        query=schemas.HistoryQuery,
        problems=(*LISTED, problems.UNKNOWN_CARD),
        tagged=True,
    ),
    Operation(
        "movers",
        "GET",
        "/movers",
        "The strongest BUY and SELL of the latest day",
        schemas.Movers,
        query=schemas.MoversQuery,
        problems=LISTED,
        tagged=True,
    ),
    Operation(
        "v2_server", "GET", "/v2", "V2: server metadata", schemas.ServerMetadata, problems=KEYED
    ),
    Operation(
        "v2_live",
        "GET",
        "/v2/health/live",
        "V2: whether the server lives",
        schemas.ServerState,
        scope=None,
    ),
    Operation(
        "v2_ready",
        "GET",
        "/v2/health/ready",
        "V2: whether the server is ready",
        schemas.ServerState,
        scope=None,
        problems=READINESS,
    ),
    Operation(
        "v2_model",
        "GET",
        "/v2/models/{model}",
        "V2: model metadata",
        schemas.ModelMetadata,
        problems=(*KEYED, problems.UNKNOWN_MODEL, *MODELLED),
    ),
    Operation(
        "v2_model_ready",
        "GET",
        "/v2/models/{model}/ready",
        "V2: whether a model is ready",
        schemas.ModelReady,
        problems=(*KEYED, problems.UNKNOWN_MODEL, *MODELLED),
    ),
    Operation(
        "v2_infer",
        "POST",
        "/v2/models/{model}/infer",
        "V2: inference; more than one row needs the scope batch",
        v2_messages.InferResponse,
        request=v2_messages.InferRequest,
        example=_INFERENCE,
        problems=(*KEYED, *BODIED, problems.UNKNOWN_MODEL, problems.MISFIT, *MODELLED),
    ),
    Operation("health", "GET", "/health", "Whether the gateway lives", schemas.Alive, scope=None),
    Operation(
        "ready",
        "GET",
        "/ready",
        "Whether requests would be answered",
        schemas.Ready,
        scope=None,
        problems=READINESS,
    ),
    Operation("openapi", "GET", "/openapi.json", "This document", dict[str, Any], scope=None),
    Operation("docs", "GET", "/docs", "This document for people", "text/html", scope=None),
)
