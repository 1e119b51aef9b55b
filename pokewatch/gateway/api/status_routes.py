"""The operations about what is served, and those of the document of the API."""

from typing import Any

from pokewatch.gateway.api import queries, status_schemas
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.problem_groups import AUTHENTICATED, READINESS
from pokewatch.gateway.http import problems

STATUS_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "markets",
        "GET",
        "/markets",
        "List the markets",
        status_schemas.MarketList,
        "Everything belongs to a market: a game at a source in a currency, a file, or a "
        "simulation. A card that is in several markets belongs to the first of them, unless "
        "`market` names another.",
        query=queries.NoQuery,
        problems=(*AUTHENTICATED, problems.INVALID),
    ),
    Operation(
        "health",
        "GET",
        "/health",
        "Check liveness",
        status_schemas.Alive,
        "Answers while the gateway process is running, whether or not the model server is.",
        scope=None,
    ),
    Operation(
        "ready",
        "GET",
        "/ready",
        "Check readiness",
        status_schemas.Ready,
        "Returns the model and data being served, and the state of each market. 503 if no market "
        "can be answered.",
        scope=None,
        problems=READINESS,
    ),
    Operation("openapi", "GET", "/openapi.json", "Get this document", dict[str, Any], scope=None),
    Operation("docs", "GET", "/docs", "Read this document as HTML", "text/html", scope=None),
)
