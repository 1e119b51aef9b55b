"""Answers to the examples of `/docs`, from what is being served."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.operation_docs import (
    example_body,
    example_path,
    example_query,
    has_json_answer,
)
from pokewatch.gateway.http.middleware import Answer, RequestContext
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.http.streams import StreamedAnswer

Handlers = Mapping[str, Callable[[RequestContext], Awaitable[Answer | StreamedAnswer]]]

_MOST_ITEMS = 2
_OF_CALLERS = "/watches"  # these operations read and change what belongs to a key
_DOCUMENT = "openapi"


class AnswerExamples:
    """The answers, made again when the versions of model, data or track record change."""

    def __init__(self, handlers: Handlers, markets: Markets) -> None:
        self._handlers = handlers
        self._markets = markets
        self._made_from: object = None
        self._answers: Mapping[str, str] = {}

    async def read(self, context: RequestContext, paths: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the answers by operation, as JSON texts. Operations that fail have none.

        `paths` are those of the OpenAPI document, with examples of a card that is being served.
        """
        served = [
            (
                market.poller.current_versions(),
                market.poller.current_record(),
                market.poller.settings_changes,
            )
            for market in self._markets.backends
        ]
        if served != self._made_from or not self._answers:
            self._answers = await self._made(context, paths)
            self._made_from = served
        return self._answers

    async def _made(self, context: RequestContext, paths: Mapping[str, Any]) -> Mapping[str, str]:
        operations = [
            (path, method, operation)
            for path, methods in paths.items()
            for method, operation in methods.items()
            if has_json_answer(operation)
            and operation["operationId"] != _DOCUMENT
            and not path.startswith(_OF_CALLERS)
        ]
        answers = await asyncio.gather(
            *(self._answer(context, *operation) for operation in operations)
        )
        names = [operation["operationId"] for *_, operation in operations]
        return {name: text for name, text in zip(names, answers, strict=True) if text}

    async def _answer(self, context: RequestContext, path: str, method: str, operation: Any) -> str:
        request = _request(context, path, method, operation)
        try:
            answer = await self._handlers[operation["operationId"]](request)
        except ProblemError:
            return ""
        if isinstance(answer, StreamedAnswer) or answer[0] != 200 or not answer[2]:
            return ""
        return json.dumps(shortened(json.loads(answer[2])), indent=2, ensure_ascii=False)


def shortened(value: Any) -> Any:
    """Return a JSON value whose lists have their first items, and the number of the others."""
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        first = [shortened(item) for item in value[:_MOST_ITEMS]]
        more = len(value) - len(first)
        return [*first, f"… {more:,} more"] if more else first
    return value


def _request(context: RequestContext, path: str, method: str, operation: Any) -> RequestContext:
    """Return the request of an example, as part of the request `context`."""
    given = example_path(operation)
    request = RequestContext(
        {
            "type": "http",
            "method": method.upper(),
            "path": path.format(**{name: quote(value) for name, value in given.items()}),
            "path_params": given,
            "query_string": urlencode(example_query(operation)).encode(),
            "headers": [],
        },
        context.request_id,
    )
    if "requestBody" in operation:
        request.body = json.dumps(example_body(operation)).encode()
    return request
