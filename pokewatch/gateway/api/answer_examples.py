"""Answers to the examples of `/docs`, from what is being served."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from pokewatch.gateway.api.operation_docs import (
    EXAMPLE_CARD,
    example_body,
    example_query,
    has_json_answer,
)
from pokewatch.gateway.api.schemas import Card
from pokewatch.gateway.http.downloads import Download
from pokewatch.gateway.http.middleware import Answer, RequestContext
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.version_poller import VersionPoller

Handlers = Mapping[str, Callable[[RequestContext], Awaitable[Answer | Download]]]
FirstCard = Callable[[RequestContext], Awaitable[Card | None]]

_MOST_ITEMS = 2
_LEFT_OUT = ("openapi",)


class AnswerExamples:
    """The answers, made again when the versions of model, data or track record change."""

    def __init__(self, handlers: Handlers, first_card: FirstCard, poller: VersionPoller) -> None:
        self._handlers = handlers
        self._first_card = first_card
        self._poller = poller
        self._made_from: object = None
        self._card: Card | None = None
        self._answers: dict[str, str] = {}

    async def read(
        self, context: RequestContext, paths: Mapping[str, Any]
    ) -> tuple[Card | None, Mapping[str, str]]:
        """Return the card of the examples, and answers by operation, as JSON texts.

        `paths` are those of the OpenAPI document. Operations that fail have no answer.
        """
        served = (self._poller.current_versions(), self._poller.current_record())
        if served != self._made_from or self._card is None:
            self._card = await self._first_card(context)
            self._answers = await self._made(context, paths, self._card) if self._card else {}
            self._made_from = served
        return self._card, self._answers

    async def _made(
        self, context: RequestContext, paths: Mapping[str, Any], card: Card
    ) -> dict[str, str]:
        operations = [
            (path, method, operation)
            for path, methods in paths.items()
            for method, operation in methods.items()
            if has_json_answer(operation) and operation["operationId"] not in _LEFT_OUT
        ]
        answers = await asyncio.gather(
            *(self._answer(context, *operation, card) for operation in operations)
        )
        names = [operation["operationId"] for *_, operation in operations]
        return {name: text for name, text in zip(names, answers, strict=True) if text}

    async def _answer(
        self, context: RequestContext, path: str, method: str, operation: Any, card: Card
    ) -> str:
        request = _request(context, path, method, operation, card)
        try:
            answer = await self._handlers[operation["operationId"]](request)
        except ProblemError:
            return ""
        if isinstance(answer, Download) or answer[0] != 200 or not answer[2]:
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


def _request(
    context: RequestContext, path: str, method: str, operation: Any, card: Card
) -> RequestContext:
    """Return the request of an example, as part of the request `context`."""
    given = {"card_id": card.slug, "set_id": card.set_id, "model": "pokewatch"}
    query = urlencode(example_query(operation))
    request = RequestContext(
        {
            "type": "http",
            "method": method.upper(),
            "path": path.format(**{name: quote(value) for name, value in given.items()}),
            "path_params": given,
            "query_string": query.encode(),
            "headers": [],
        },
        context.request_id,
    )
    if "requestBody" in operation:
        text = json.dumps(example_body(operation)).replace(EXAMPLE_CARD, card.slug)
        request.body = text.encode()
    return request
