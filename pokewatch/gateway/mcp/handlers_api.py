"""The operations of a gateway, called in its own process."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from urllib.parse import urlencode

from pokewatch.gateway.api.markets.assignment import VARIANT_HEADER
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.http.middleware import Answer, RequestContext
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.http.streams import StreamedAnswer
from pokewatch.gateway.mcp.api import ApiError, Json, refusal_text

Handlers = Mapping[str, Callable[[RequestContext], Awaitable[Answer | StreamedAnswer]]]

# The request to /mcp that is being answered, whose key the calls of a tool use.
current_request: ContextVar[RequestContext] = ContextVar("current_request")

_JSON = (b"content-type", b"application/json")
# What a request to /mcp says of all its calls: the trace they are of, and the model that answers.
_PASSED_ON = frozenset({b"traceparent", VARIANT_HEADER.lower().encode()})


class HandlersApi:
    """The operations of a gateway, called in its process with the key of the request to /mcp.

    They are in its trace, and answered by the variant that it chooses. The rate limit counts that
    request and not the calls. `operations` have paths without parameters.
    """

    def __init__(self, operations: Sequence[Operation], handlers: Handlers) -> None:
        self._operations = {(each.method, each.path): each for each in operations}
        self._handlers = handlers

    async def call(self, method: str, path: str, query: Json, body: Json | None) -> Json:
        operation = self._operations[method, path]
        outer = current_request.get()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": urlencode(query).encode(),
            "headers": [_JSON, *(each for each in outer.scope["headers"] if each[0] in _PASSED_ON)],
            "client": outer.scope.get("client"),
        }
        context = RequestContext(scope, outer.request_id)
        context.key, context.route = outer.key, operation.path
        context.body = b"" if body is None else json.dumps(body).encode()
        if operation.scope and not (outer.key and outer.key.allows(operation.scope)):
            raise ApiError(f"the key does not have the scope {operation.scope!r}")
        try:
            answer = await self._handlers[operation.name](context)
        except ProblemError as problem:
            raise ApiError(refusal_text(problem.detail, problem.near)) from None
        found: Json = json.loads(answer[2])  # type: ignore[arg-type]  # tools call no export
        return found
