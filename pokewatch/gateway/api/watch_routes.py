"""The operations on watches."""

from pokewatch.gateway.api import queries, watch_schemas
from pokewatch.gateway.api.examples import EXAMPLE
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.problem_groups import AUTHENTICATED, UPSTREAM, WITH_BODY
from pokewatch.gateway.http import problems

_SMALL = 16_384
_STORED = (*AUTHENTICATED, problems.INVALID, problems.WATCHES_UNAVAILABLE)

WATCH_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "watch_create",
        "POST",
        "/watches",
        "Watch a card",
        watch_schemas.NewWatchAnswer,
        "Watches belong to the API key that created them. They are judged after every deploy of "
        "new prices, and a crossing is reported once: when the condition begins to hold, at the "
        "first judging too. A webhook is signed after the Standard Webhooks specification.",
        request=watch_schemas.WatchRequest,
        max_bytes=_SMALL,
        example={"card_id": EXAMPLE.slug, "condition": {"type": "below", "price": EXAMPLE.price}},
        query=queries.NoQuery,
        problems=(
            *_STORED,
            *WITH_BODY[:-1],
            problems.UNKNOWN_CARD,
            problems.UNKNOWN_MARKET,
            problems.WATCH_REFUSED,
            problems.REUSED_IDEMPOTENCY_KEY,
            *UPSTREAM,
        ),
        idempotent=True,
    ),
    Operation(
        "watches",
        "GET",
        "/watches",
        "List the watches of the key",
        watch_schemas.WatchList,
        query=queries.NoQuery,
        problems=_STORED,
    ),
    Operation(
        "watch",
        "GET",
        "/watches/{watch_id}",
        "Get a watch and its newest notifications",
        watch_schemas.WatchAnswer,
        query=queries.NoQuery,
        problems=(*_STORED, problems.UNKNOWN_WATCH),
    ),
    Operation(
        "watch_remove",
        "DELETE",
        "/watches/{watch_id}",
        "Remove a watch",
        watch_schemas.RemovedWatch,
        "Notifications that are not delivered yet are dropped.",
        query=queries.NoQuery,
        problems=(*_STORED, problems.UNKNOWN_WATCH),
    ),
)
