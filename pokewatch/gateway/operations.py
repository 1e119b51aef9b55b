"""Every operation of the API, once: routes and the OpenAPI document are both made from this table."""

from dataclasses import dataclass
from typing import Any

from pokewatch.gateway import models, problems
from pokewatch.gateway.problems import Kind

KEYED = (problems.UNAUTHORIZED, problems.FORBIDDEN, problems.RATE_LIMITED, problems.KEYS_UNREADABLE)
BODIED = (problems.NOT_JSON, problems.SLOW_REQUEST, problems.TOO_LARGE, problems.MEDIA_TYPE, problems.INVALID)
MODELLED = (problems.UPSTREAM_FAULT, problems.UNAVAILABLE, problems.OVERLOADED, problems.UPSTREAM_TIMEOUT)


@dataclass(frozen=True, slots=True)
class Operation:
    """`scope` is the scope a key needs, None where no key is asked for. `name` is the operationId and names the handler."""

    name: str
    method: str
    path: str
    summary: str
    response: Any
    scope: str | None = "read"
    request: Any = None
    problems: tuple[Kind, ...] = ()


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "fair_price",
        "POST",
        "/fair_price",
        "What a card is worth, and whether to buy or sell",
        models.FairPriceAnswer,
        request=models.FairPriceRequest,
        problems=(*KEYED, *BODIED, problems.UNKNOWN_CARD, problems.UNKNOWN_DATE, *MODELLED),
    ),
    Operation("health", "GET", "/health", "Whether the gateway runs", models.Alive, scope=None),
    Operation("ready", "GET", "/ready", "Whether requests would be answered", models.Ready, scope=None, problems=(problems.UNAVAILABLE,)),
    Operation("metrics", "GET", "/metrics", "Prometheus metrics", str, scope=None),
)
