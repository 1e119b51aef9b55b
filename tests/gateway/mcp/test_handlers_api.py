"""What the calls of a tool have of the request to /mcp."""

import asyncio
from typing import Any

import pytest

from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.http.middleware import Answer, RequestContext
from pokewatch.gateway.mcp.handlers_api import HandlersApi, current_request

TRACE = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"


class Key:
    """A key with all scopes."""

    id = "0123456789ab"

    def allows(self, scope: str) -> bool:
        return True


def called(*headers: tuple[bytes, bytes]) -> RequestContext:
    """Return the context of a call that a tool makes for a request to /mcp with these headers."""
    seen: list[RequestContext] = []

    async def movers(context: RequestContext) -> Answer:
        seen.append(context)
        return 200, [], b"{}"

    async def call() -> None:
        current_request.set(outer)
        await HandlersApi(OPERATIONS, {"movers": movers}).call("GET", "/movers", {"limit": 3}, None)

    scope: dict[str, Any] = {"type": "http", "headers": headers, "client": ("192.0.2.1", 5)}
    outer = RequestContext(scope, "r1")
    outer.key = Key()
    asyncio.run(call())
    return seen[0]


def test_a_call_has_the_id_the_key_and_the_address_of_the_request() -> None:
    context = called((b"x-request-id", b"mine"))
    assert (context.request_id, context.key and context.key.id) == ("mine", Key.id)
    assert (context.address, context.scope["query_string"]) == ("192.0.2.1", b"limit=3")


@pytest.mark.parametrize(
    ("given", "lines"), [(TRACE, b"traceparent: %s\r\n" % TRACE), (b"nonsense", b"")]
)
def test_a_call_is_of_the_trace_of_the_request(given: bytes, lines: bytes) -> None:
    context = called((b"x-request-id", b"mine"), (b"traceparent", given))
    assert context.forwarded_headers() == b"x-request-id: mine\r\n" + lines


def test_a_call_has_no_other_headers_of_the_request_but_the_variant() -> None:
    context = called((b"accept", b"text/csv"), (b"x-pokewatch-variant", b"champion"))
    assert context.headers == {
        b"content-type": b"application/json",
        b"x-pokewatch-variant": b"champion",
    }
